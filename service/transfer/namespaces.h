// Which namespaces of a store have keys.
#pragma once

#include <string>
#include <vector>

#include "service/storage/backend.h"

namespace holdfast::transfer {

// In byte order; those in which a client has PUT something. One scan of one entry for each, however many keys it has.
Result<std::vector<std::string>> NamespacesOf(storage::Backend& backend, const std::string& store);

}  // namespace holdfast::transfer
