#include "service/tenancy/verb.h"

#include <array>

namespace holdfast::tenancy {
namespace {

constexpr std::array<std::string_view, kVerbs> kNames = {"read", "write",   "delete", "list",
                                                         "lock", "publish", "watch",  "admin"};

}  // namespace

std::string_view VerbName(Verb verb) {
  return kNames[static_cast<std::size_t>(verb)];
}

std::optional<Verb> ParseVerb(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Verb>(i);
  }
  return std::nullopt;
}

}  // namespace holdfast::tenancy
