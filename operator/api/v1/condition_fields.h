// status.conditions of every kind, as metav1.Condition defines them.
#pragma once

#include <string>

#include "operator/api/v1/field.h"

namespace holdfast::api {

// `description`: what each type of condition says.
Field ConditionFields(std::string description);

}  // namespace holdfast::api
