// The rules of a PostgreSQL backend that span several fields, each in CEL and in C++.
#pragma once

#include <string>
#include <vector>

#include "operator/api/v1/field.h"

namespace holdfast::api {

// Parameters a user may set, sorted. Left out is what could lose acknowledged writes, open the server, show what is
// stored in its log, or take a decision of Patroni's.
const std::vector<std::string>& AllowedPostgresParameters();

// Those of them that a server takes only when it starts.
const std::vector<std::string>& RestartingPostgresParameters();

Rule AllowedParametersRule();       // on parameters
Rule StandbysBelowInstancesRule();  // on postgres
// On postgres and redis: `beside` are the fields that shape servers of the operator's own.
Rule ExternalStandsAloneRule(const std::vector<std::string>& beside);
Rule PostgresNamesFitRule();  // on the object

}  // namespace holdfast::api
