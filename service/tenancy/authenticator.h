// Turns what a request proves itself with into a Principal.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/tenancy/principal.h"

namespace holdfast::tenancy {

inline constexpr std::size_t kMaxBearerTokenBytes = 8u << 10;

struct Credentials {
  std::string_view bearer;  // empty = none
  // The names in the client certificate that TLS has verified: common name, DNS names, URIs.
  std::vector<std::string_view> certificate_names;
};

struct Identity {
  enum class Kind {
    kKnown,
    kUnknown,      // 401
    kUnavailable,  // who it is could not be found out: 503, never let through
  };
  Kind kind = Kind::kUnknown;
  PrincipalPtr principal;  // kKnown

  static Identity Known(PrincipalPtr principal) { return {Kind::kKnown, std::move(principal)}; }
  static Identity Unknown() { return {}; }
  static Identity Unavailable() { return {Kind::kUnavailable, nullptr}; }
};

// Thread-safe. Keeps and logs no token, only digests.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  // What can be said without waiting: may be called on an I/O thread. nullopt: Ask for it.
  virtual std::optional<Identity> Recognise(const Credentials& credentials) = 0;
  // For a token that Recognise could not decide. `done` is called exactly once, from any thread, possibly before Ask
  // returns.
  using Done = std::function<void(Identity)>;
  virtual void Ask(std::string_view bearer, Done done) = 0;
  // Waits until everything asked for has been answered; what is asked later is kUnavailable at once. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace holdfast::tenancy
