#include "operator/cli/commands.h"

namespace holdfast::cli {

std::string Version() {
  return HOLDFAST_VERSION;
}

std::string DefaultServiceImage() {
  return "holdfast:" + Version();
}

}  // namespace holdfast::cli
