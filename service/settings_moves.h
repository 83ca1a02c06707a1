// The rows of stores that move to another backend, and what they come to.
#pragma once

#include <vector>

#include "base/config/settings.h"
#include "service/settings.h"

namespace holdfast::service {

void AddMoves(std::vector<config::Setting>* rows);
// Fills StoreSettings::move and makes room for the rows in the limits of both backends; what cannot be is added to
// `problems`. Behind everything else of the stores.
void ReadMovesOfStores(const config::Settings& settings, ServiceSettings* result,
                       std::vector<config::Problem>* problems);

}  // namespace holdfast::service
