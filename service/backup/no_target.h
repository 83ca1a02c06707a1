// The target of a store that has no place for backups of its own, and may restore those of another deployment.
#pragma once

#include <memory>

#include "service/backup/target.h"

namespace holdfast::backup {

// kNotSupported, and names the settings.
Error NoPlace();
// Every call is that.
std::unique_ptr<Target> MakeNoTarget();

}  // namespace holdfast::backup
