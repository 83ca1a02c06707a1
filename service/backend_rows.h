// Which rows of the settings table have a meaning for which type of backend.
#pragma once

#include <string_view>
#include <vector>

namespace holdfast::service {

// Names behind "backends.NAME." that a backend of this type ("memory", "rocksdb", "postgres", "redis") has no use for.
std::vector<std::string_view> RowsOfOtherTypes(std::string_view type);

}  // namespace holdfast::service
