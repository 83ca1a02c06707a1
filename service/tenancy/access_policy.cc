#include "service/tenancy/access_policy.h"

#include <algorithm>

#include "service/storage/key_space.h"

namespace holdfast::tenancy {
namespace {

constexpr std::string_view kRolePrefix = "role:";

bool Matches(std::string_view pattern, std::string_view name) {
  return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1)) : pattern == name;
}

bool AnyMatches(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return Matches(pattern, name); });
}

bool Covers(const Rule& rule, const Principal& principal, const Place& place) {
  const bool there = rule.namespaces.empty() ? place.name_space == principal.name_space
                                             : AnyMatches(rule.namespaces, place.name_space);
  return there && (rule.stores.empty() || AnyMatches(rule.stores, place.store));
}

}  // namespace

const PrincipalPtr& AnonymousPrincipal() {
  static const PrincipalPtr anonymous =
      std::make_shared<const Principal>(Principal{kAnonymous, std::string(storage::kDefaultNamespace), {}});
  return anonymous;
}

AccessPolicy::AccessPolicy(std::vector<Rule> rules) : rules_(std::move(rules)) {
  for (const Rule& rule : rules_) {
    for (const std::string& principal : rule.principals) {
      if (principal.ends_with('*')) {
        by_beginning_.emplace_back(principal.substr(0, principal.size() - 1), &rule);
      } else {
        by_principal_[principal].push_back(&rule);
      }
    }
  }
}

template <typename Accepts>
bool AccessPolicy::AnyRule(const Principal& principal, const Place& place, const Accepts& accepts) const {
  const auto any_of = [&](std::string_view name) {
    const auto found = by_principal_.find(name);
    return found != by_principal_.end() && std::any_of(found->second.begin(), found->second.end(), [&](const Rule* r) {
             return accepts(*r) && Covers(*r, principal, place);
           });
  };
  // A token cannot take a role by being called like one: the file refuses such names, and Kubernetes' begin with
  // system:.
  if (any_of(principal.name)) return true;
  for (const std::string& role : principal.roles) {
    std::string name(kRolePrefix);
    name.append(role);
    if (any_of(name)) return true;
  }
  return std::any_of(by_beginning_.begin(), by_beginning_.end(), [&](const auto& row) {
    return principal.name.starts_with(row.first) && accepts(*row.second) && Covers(*row.second, principal, place);
  });
}

bool AccessPolicy::Allows(const Principal& principal, Verb verb, const Place& place, std::string_view name) const {
  return AnyRule(principal, place, [&](const Rule& rule) {
    return rule.verbs.test(static_cast<std::size_t>(verb)) && name.starts_with(rule.prefix);
  });
}

bool AccessPolicy::AllowsSomewhere(const Principal& principal, std::optional<Verb> verb, const Place& place) const {
  return AnyRule(principal, place, [&](const Rule& rule) {
    return verb ? rule.verbs.test(static_cast<std::size_t>(*verb)) : rule.verbs.any();
  });
}

}  // namespace holdfast::tenancy
