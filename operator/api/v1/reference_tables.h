// The tables of a kind's fields and the list of its rules, for docs/. Pure and deterministic.
#pragma once

#include <string>

#include "operator/api/v1/field.h"

namespace holdfast::api {

// A section for each part of the object (spec, status), and one of the rules.
std::string FieldTables(const Field& root);

}  // namespace holdfast::api
