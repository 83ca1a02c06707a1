// The file of `auth.tokens_file`: who is known by a token, and who may do what. YAML or JSON.
//
//   tokens:
//     - name: ci                     # no "role:" or "system:" in front; each name once
//       sha256: 9f86d0...            # of the token, hex; or `token:` itself; or `certificate:` a name in
//       namespace: team-a            #   a client certificate: common name, DNS name or URI. Default: "default"
//       roles: [writer]
//       expires_at: 2027-01-01T00:00:00Z
//   rules:
//     - principals: [ci, "role:writer", "system:serviceaccount:team-a:*", "*"]
//       verbs: [read, write, delete, list, lock, publish, watch, admin]
//       stores: [main]               # default: every store
//       namespaces: [team-a]         # default: the caller's own; ["*"]: every one
//       prefix: orders/              # default: every key
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "service/tenancy/access_policy.h"
#include "service/tenancy/sha256.h"

namespace holdfast::tenancy {

inline constexpr std::size_t kMaxAccessFileBytes = 4u << 20;
inline constexpr std::size_t kMaxTokens = 10'000;
inline constexpr std::size_t kMaxRules = 1'000;

// Immutable, hence thread-safe.
class AccessFile {
 public:
  // kInvalidArgument names the entry and its field, and never quotes the file: it may have put a token anywhere.
  static Result<AccessFile> Parse(std::string_view text, std::string_view name);

  // nullptr when no token of the file is this one, or it has expired.
  PrincipalPtr FindToken(std::string_view token, Timestamp now) const;
  PrincipalPtr FindCertificate(std::string_view name, Timestamp now) const;
  const AccessPolicy& policy() const { return policy_; }
  std::size_t tokens() const { return by_digest_.size() + by_certificate_.size(); }

 private:
  struct Known {
    PrincipalPtr principal;
    std::optional<Timestamp> expires_at;
  };
  struct Parts;
  explicit AccessFile(Parts parts);

  // Found by the digest and compared with it: what a look-up's time tells about digests tells nothing about tokens.
  std::unordered_map<Digest, Known, DigestHash> by_digest_;
  std::unordered_map<std::string, Known> by_certificate_;
  AccessPolicy policy_;
};

}  // namespace holdfast::tenancy
