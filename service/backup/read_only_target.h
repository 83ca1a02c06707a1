// A target of which backups are only read: those of another deployment, which alone makes and removes them.
#pragma once

#include <memory>

#include "service/backup/target.h"

namespace holdfast::backup {

// Nothing that it does reaches a call of `inner` that could change something there: Put, PutNew and Delete are refused
// with kNotSupported, and CreatesOnce, which others find out by writing, is false.
std::unique_ptr<Target> MakeReadOnlyTarget(std::unique_ptr<Target> inner);

}  // namespace holdfast::backup
