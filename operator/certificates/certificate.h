// X.509 certificates with keys on the curve P-256, as PEM. No state; thread-safe. Errors are kUnavailable (the random
// source or memory) or kInvalidArgument (what was given is no certificate or key), and quote no key.
#pragma once

#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"

namespace holdfast::certificates {

struct KeyPair {
  std::string certificate;  // PEM
  std::string key;          // PEM, PKCS 8, not encrypted
};

struct Validity {
  Timestamp not_before;
  Timestamp not_after;
};

// A certificate that may sign others, and is signed by itself.
Result<KeyPair> MakeAuthority(const std::string& common_name, const Validity& validity);

// One that `authority` vouches for, for servers and clients alike. `names` are DNS names, the first of which is also
// the common name, cut to the 64 characters that has.
Result<KeyPair> Issue(const KeyPair& authority, const std::vector<std::string>& names, const Validity& validity);

struct CertificateFacts {
  Validity validity;
  std::vector<std::string> names;  // DNS names, in their order
};
// Of the first certificate in `pem`.
Result<CertificateFacts> ReadFacts(const std::string& pem);

// Of every certificate in `pem`: kInvalidArgument when there is none, or one that cannot be read.
Status CheckCertificates(const std::string& pem);

// Whether the key belongs to the certificate, and `authority` (PEM) signed it.
bool Matches(const KeyPair& pair);
bool IsIssuedBy(const std::string& certificate, const std::string& authority);

}  // namespace holdfast::certificates
