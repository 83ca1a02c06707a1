// Fields that hold the name of a backend, a store or a cluster.
#pragma once

#include <cstddef>
#include <string>

#include "operator/api/v1/field.h"

namespace holdfast::api {

// Required.
Field StorageNameField(std::string name, std::string description, std::size_t max_length);

}  // namespace holdfast::api
