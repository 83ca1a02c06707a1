// Base64 as Kubernetes writes it (RFC 4648 section 4, padded): Secret data, inline certificates of a kubeconfig.
#pragma once

#include <string>
#include <string_view>

#include "base/result/result.h"

namespace holdfast::kube {

std::string Base64Encode(std::string_view bytes);
// Line breaks inside are skipped, as YAML block scalars have them; anything else foreign is kInvalidArgument. The text
// is never repeated in the error: it may be a key.
Result<std::string> Base64Decode(std::string_view text);

}  // namespace holdfast::kube
