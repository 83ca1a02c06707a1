#include "operator/certificates/authority.h"

#include <algorithm>

#include "operator/certificates/certificate.h"

namespace holdfast::certificates {
namespace {

constexpr char kEnd[] = "-----END CERTIFICATE-----";

// The certificates of a bundle, each with its line end.
std::vector<std::string> Split(const std::string& bundle) {
  std::vector<std::string> certificates;
  std::size_t from = 0;
  for (std::size_t end = bundle.find(kEnd); end != std::string::npos; end = bundle.find(kEnd, from)) {
    end += sizeof(kEnd) - 1;
    const std::size_t begin = bundle.find_first_not_of("\r\n", from);
    certificates.push_back(bundle.substr(begin, end - begin) + "\n");
    from = end;
  }
  return certificates;
}

std::string Joined(const std::vector<std::string>& certificates) {
  std::string bundle;
  for (const std::string& certificate : certificates) bundle += certificate;
  return bundle;
}

std::string FileOf(const Files& files, const char* name) {
  const auto found = files.find(name);
  return found == files.end() ? std::string() : found->second;
}

Validity From(Timestamp now, std::chrono::hours life) {
  return {now - kBackdated, now + life};
}

// Without those that have ended; the one that signs stays whatever its age.
std::vector<std::string> WithoutEnded(std::vector<std::string> trusted, Timestamp now) {
  for (std::size_t i = trusted.size(); i-- > 1;) {
    const auto facts = ReadFacts(trusted[i]);
    if (!facts.ok() || facts->validity.not_after <= now)
      trusted.erase(trusted.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return trusted;
}

Result<KeyPair> Signing(const Files& authority) {
  const std::vector<std::string> trusted = Split(FileOf(authority, kTrusted));
  KeyPair signing{trusted.empty() ? std::string() : trusted.front(), FileOf(authority, kSigningKey)};
  if (Matches(signing)) return signing;
  return Error(ErrorCode::kFailedPrecondition,
               "its ca.crt and ca.key are no authority; put back what was there, or delete the Secret to have a new "
               "authority made");
}

}  // namespace

Result<std::optional<Files>> NextAuthority(const Files& present, const std::string& common_name, Timestamp now) {
  if (present.empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(const KeyPair made, MakeAuthority(common_name, From(now, kAuthorityLife)));
    return std::optional<Files>(Files{{kTrusted, made.certificate}, {kSigningKey, made.key}});
  }
  HOLDFAST_ASSIGN_OR_RETURN(const KeyPair signing, Signing(present));
  HOLDFAST_ASSIGN_OR_RETURN(const CertificateFacts facts, ReadFacts(signing.certificate));
  Files wanted = present;
  std::vector<std::string> trusted = WithoutEnded(Split(FileOf(present, kTrusted)), now);
  const KeyPair next{FileOf(present, kNext), FileOf(present, kNextKey)};
  if (Matches(next)) {
    HOLDFAST_ASSIGN_OR_RETURN(const CertificateFacts next_facts, ReadFacts(next.certificate));
    if (std::find(trusted.begin(), trusted.end(), next.certificate) == trusted.end()) {
      trusted.push_back(next.certificate);
    } else if (next_facts.validity.not_before + kBackdated + kTrustedBeforeSigning <= now) {
      trusted.erase(std::find(trusted.begin(), trusted.end(), next.certificate));
      trusted.insert(trusted.begin(), next.certificate);
      wanted[kSigningKey] = next.key;
      wanted.erase(kNext);
      wanted.erase(kNextKey);
    }
  } else if (facts.validity.not_after - kAuthorityRenewal <= now) {
    HOLDFAST_ASSIGN_OR_RETURN(const KeyPair made, MakeAuthority(common_name, From(now, kAuthorityLife)));
    wanted[kNext] = made.certificate;
    wanted[kNextKey] = made.key;
    trusted.push_back(made.certificate);
  }
  wanted[kTrusted] = Joined(trusted);
  if (wanted == present) return std::optional<Files>();
  return std::optional<Files>(std::move(wanted));
}

Result<std::optional<Files>> NextServer(const Files& present, const Files& authority,
                                        const std::vector<std::string>& names, Timestamp now) {
  HOLDFAST_ASSIGN_OR_RETURN(const KeyPair signing, Signing(authority));
  const KeyPair server{FileOf(present, kServerCertificate), FileOf(present, kServerKey)};
  const auto facts = ReadFacts(server.certificate);
  const bool good = facts.ok() && facts->names == names && facts->validity.not_before <= now &&
                    facts->validity.not_after - kServerRenewal > now && Matches(server) &&
                    IsIssuedBy(server.certificate, signing.certificate);
  Files wanted = {
      {kTrusted, FileOf(authority, kTrusted)}, {kServerCertificate, server.certificate}, {kServerKey, server.key}};
  if (!good) {
    HOLDFAST_ASSIGN_OR_RETURN(const CertificateFacts issuer, ReadFacts(signing.certificate));
    Validity validity = From(now, kServerLife);
    validity.not_before = std::max(validity.not_before, issuer.validity.not_before);
    validity.not_after = std::min(validity.not_after, issuer.validity.not_after);
    HOLDFAST_ASSIGN_OR_RETURN(const KeyPair made, Issue(signing, names, validity));
    wanted[kServerCertificate] = made.certificate;
    wanted[kServerKey] = made.key;
  }
  if (wanted == present) return std::optional<Files>();
  return std::optional<Files>(std::move(wanted));
}

}  // namespace holdfast::certificates
