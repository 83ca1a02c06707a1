#include "operator/cli/commands.h"

namespace holdfast::cli {

std::string Version() {
  return HOLDFAST_VERSION;
}

std::string DefaultServiceImage() {
  return "holdfast:" + Version();
}

std::string DefaultPostgresImage() {
  return "holdfast-postgres:15-" + Version();
}

std::string DefaultRedisImage() {
  return "holdfast-redis:7-" + Version();
}

}  // namespace holdfast::cli
