// The API described for machines, made from the route table.
#pragma once

#include <string>

#include "service/api/api_handler.h"
#include "service/storage/store.h"

namespace holdfast::api {

// An OpenAPI 3.0.3 document in JSON; with this process's stores and limits.
std::string OpenApiDocument(const storage::StoreRegistry& stores, const ApiOptions& options);

}  // namespace holdfast::api
