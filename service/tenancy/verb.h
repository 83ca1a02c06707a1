// What a caller may be allowed to do. Every row of the route table names one, so that no route is open by oversight.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast::tenancy {

enum class Verb : std::uint8_t {
  kRead,     // the value of a key or document
  kWrite,    // put, touch, increment
  kDelete,   // keys, documents, whole prefixes
  kList,     // which keys there are, and how many
  kLock,     // locks and elections
  kPublish,  // messages to a channel
  kWatch,    // changes of keys, messages of a channel
  kAdmin,    // stores, collections, quotas, checkpoints, the audit log
};
inline constexpr std::size_t kVerbs = 8;

std::string_view VerbName(Verb verb);  // "read", "write", ...
std::optional<Verb> ParseVerb(std::string_view name);

// What a route asks of its caller. No default: a row without one does not compile.
class Access {
 public:
  // One verb, on the thing the path names or the keys the prefix names.
  consteval Access(Verb verb) : verb_(verb), also_(verb), kind_(Kind::kVerb) {}  // NOLINT(google-explicit-constructor)
  // Both of them, on the same.
  static consteval Access Both(Verb verb, Verb also) {
    Access access(verb);
    access.also_ = also;
    return access;
  }
  // The request is about several keys, or about one in a way its body or query decides: its handler asks for each
  // (api/authorise.h) before anything is attempted. Callers that hold no verb at all there are refused before it.
  static consteval Access Each() { return Access(Kind::kEach); }
  // Everybody who is known: what is no tenant's.
  static consteval Access Anybody() { return Access(Kind::kAnybody); }

  constexpr std::optional<Verb> verb() const { return kind_ == Kind::kVerb ? std::optional(verb_) : std::nullopt; }
  // nullopt unless it takes two.
  constexpr std::optional<Verb> also() const { return also_ != verb_ ? std::optional(also_) : std::nullopt; }
  constexpr bool each() const { return kind_ == Kind::kEach; }
  constexpr bool anybody() const { return kind_ == Kind::kAnybody; }

 private:
  enum class Kind : std::uint8_t { kVerb, kEach, kAnybody };
  consteval explicit Access(Kind kind) : verb_(Verb::kAdmin), also_(verb_), kind_(kind) {}

  Verb verb_;
  Verb also_;
  Kind kind_;
};

}  // namespace holdfast::tenancy
