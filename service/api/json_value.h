// The API speaks JSON: its names for what service/json has.
#pragma once

#include "service/json/json_value.h"

namespace holdfast::api {

using json::JsonLimits;
using json::JsonValue;
using json::KindName;
using json::ParseJson;

}  // namespace holdfast::api
