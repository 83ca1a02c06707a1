// The API speaks JSON: its names for what service/json has.
#pragma once

#include "service/json/json_writer.h"

namespace holdfast::api {

using json::AppendJsonString;
using json::JsonWriter;
using json::ToAsciiJson;

}  // namespace holdfast::api
