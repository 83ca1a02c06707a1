// Who is asking, as far as the service was shown. Plain data, immutable once made; shared by requests of the same
// caller.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace holdfast::tenancy {

struct Principal {
  // As rules and the audit log spell it: the name of a token, "system:serviceaccount:<namespace>:<name>" as Kubernetes
  // does, or kAnonymous.
  std::string name;
  std::string name_space;          // where its requests go unless they name another
  std::vector<std::string> roles;  // rules name them as "role:<role>"
};
using PrincipalPtr = std::shared_ptr<const Principal>;

inline constexpr const char* kAnonymous = "anonymous";
// The caller while authentication is off; its namespace is storage::kDefaultNamespace.
const PrincipalPtr& AnonymousPrincipal();

}  // namespace holdfast::tenancy
