#include "service/api/read_consistency.h"

#include <charconv>

namespace holdfast::api {

Result<storage::Consistency> ReadConsistency(const Query& query) {
  const std::string* consistency = query.Find("consistency");
  if (consistency == nullptr || *consistency == "strong") return storage::Consistency::kStrong;
  if (*consistency == "eventual") return storage::Consistency::kEventual;
  return Error(ErrorCode::kInvalidArgument, "consistency is neither strong nor eventual");
}

Result<storage::Version> ReadMinVersion(const Query& query) {
  const std::string* given = query.Find("min_version");
  if (given == nullptr) return storage::Version{0};
  std::string_view digits = *given;
  if (digits.size() >= 2 && digits.front() == '"' && digits.back() == '"') {
    digits.remove_prefix(1);
    digits.remove_suffix(1);
  }
  storage::Version version = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), version);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return Error(ErrorCode::kInvalidArgument,
                 "min_version is no version; give the ETag that a write of the key answered");
  }
  return version;
}

}  // namespace holdfast::api
