// Everything that clients of a service can have changed, as text, for tests that say that nothing was.
#pragma once

#include <string>

#include "tests/integration/service/service_fixture.h"

namespace holdfast {

// Every key with value, version, metadata and expiry, the quota, the collections with their documents, and the locks
// "held" and "free", of each of these stores and the namespaces default and team-a. Fails the test when one of them
// cannot be read.
std::string DumpOf(Service& service, const std::vector<std::string>& stores);

}  // namespace holdfast
