// Who may do what: rules, compiled. Nothing is allowed that no rule allows.
#pragma once

#include <bitset>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/tenancy/principal.h"
#include "service/tenancy/verb.h"

namespace holdfast::tenancy {

using VerbSet = std::bitset<kVerbs>;

// Allows its verbs to its principals; all lists must match. Names may end in '*', which stands for any rest.
struct Rule {
  std::vector<std::string> principals;  // names, "role:<role>", "*"
  std::vector<std::string> stores;      // empty = every store
  std::vector<std::string> namespaces;  // empty = the caller's own
  std::string prefix;                   // of keys, and of the names of locks, channels and collections; empty = all
  VerbSet verbs;
};

// Where a caller wants to do something.
struct Place {
  std::string_view store;  // its own name, never "_default"; empty = what belongs to no store
  std::string_view name_space;
};

// Immutable, hence thread-safe.
class AccessPolicy {
 public:
  explicit AccessPolicy(std::vector<Rule> rules);
  AccessPolicy(AccessPolicy&&) = default;

  // `name`: the key, the name of a lock, channel or collection, or the prefix when the request is about everything
  // behind it; empty = the whole namespace of the store.
  bool Allows(const Principal& principal, Verb verb, const Place& place, std::string_view name) const;
  // Whether there is any name for which it would; nullopt = with any verb.
  bool AllowsSomewhere(const Principal& principal, std::optional<Verb> verb, const Place& place) const;

 private:
  template <typename Accepts>
  bool AnyRule(const Principal& principal, const Place& place, const Accepts& accepts) const;

  std::vector<Rule> rules_;  // never changed: the others point into it
  std::map<std::string, std::vector<const Rule*>, std::less<>> by_principal_;  // exact names and roles
  std::vector<std::pair<std::string, const Rule*>> by_beginning_;              // of names that end in '*'
};

}  // namespace holdfast::tenancy
