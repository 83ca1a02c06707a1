#include "service/storage/backend.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::storage {
namespace {

Error TooLarge(ErrorCode code, std::string_view field, std::size_t size, std::string_view limit, std::size_t bound) {
  return {code, fmt::format("{} is {} bytes, {} is {}: send less or raise the limit", field, size, limit, bound)};
}

Status ValidateExpiry(const Expiry& expiry) {
  if (expiry.kind != Expiry::Kind::kAfter) return {};
  if (expiry.after <= std::chrono::microseconds::zero()) {
    return Error(ErrorCode::kInvalidArgument, "ttl must be above zero: use none to keep an entry for ever");
  }
  if (expiry.after > kMaxTtl) {
    return Error(ErrorCode::kInvalidArgument, "ttl is above 100 years: use none to keep an entry for ever");
  }
  return {};
}

Status ValidateAttributes(const Operation& operation, const Limits& limits) {
  if (operation.content_type.size() > limits.max_content_type_bytes) {
    return TooLarge(ErrorCode::kInvalidArgument, "content type", operation.content_type.size(), "limits.content_type",
                    limits.max_content_type_bytes);
  }
  if (operation.metadata.size() > limits.max_metadata_bytes) {
    return TooLarge(ErrorCode::kInvalidArgument, "metadata", operation.metadata.size(), "limits.metadata",
                    limits.max_metadata_bytes);
  }
  if (operation.tags.size() > limits.max_tags) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} tags given, limits.tags is {}: send fewer or raise the limit", operation.tags.size(),
                             limits.max_tags));
  }
  for (const std::string& tag : operation.tags) {
    if (tag.size() > limits.max_tag_bytes) {
      return TooLarge(ErrorCode::kInvalidArgument, "a tag", tag.size(), "limits.tag", limits.max_tag_bytes);
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Snapshot>> Backend::OpenSnapshot(const KeyRange& range, Deadline /*deadline*/) {
  return MakeScanSnapshot(*this, range);
}

Result<Version> Backend::ReserveVersions(std::uint64_t /*count*/) {
  return Error(ErrorCode::kNotSupported, "the backend gives versions to what it writes itself only");
}

OperationResult ExecuteOne(Backend& backend, const Operation& operation, Deadline deadline) {
  OperationResult result;
  backend.Execute(std::span(&operation, 1), std::span(&result, 1), deadline);
  return result;
}

Status ValidateKey(std::string_view key, const Limits& limits) {
  if (key.empty()) return Error(ErrorCode::kInvalidArgument, "key is empty: a key has at least 1 byte");
  if (key.size() > limits.max_key_bytes) {
    return TooLarge(ErrorCode::kInvalidArgument, "key", key.size(), "limits.key", limits.max_key_bytes);
  }
  return {};
}

Status Validate(const Operation& operation, const Limits& limits) {
  HOLDFAST_RETURN_IF_ERROR(ValidateKey(operation.key, limits));
  switch (operation.kind) {
    case OperationKind::kGet:
    case OperationKind::kDelete:
    case OperationKind::kTake:
      return {};
    case OperationKind::kTouch:
    case OperationKind::kIncrement:
      return ValidateExpiry(operation.expiry);
    case OperationKind::kPut:
      break;
  }
  if (operation.value.size() > limits.max_value_bytes) {
    return TooLarge(ErrorCode::kResourceExhausted, "value", operation.value.size(), "limits.value",
                    limits.max_value_bytes);
  }
  HOLDFAST_RETURN_IF_ERROR(ValidateAttributes(operation, limits));
  return ValidateExpiry(operation.expiry);
}

Status ValidateBatch(std::size_t operations, const Limits& limits) {
  if (operations <= limits.max_operations) return {};
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{} operations given, limits.batch_operations is {}: split them or raise the limit",
                           operations, limits.max_operations));
}

Status Validate(const Transaction& transaction, const Limits& limits) {
  HOLDFAST_RETURN_IF_ERROR(
      ValidateBatch(transaction.conditions.size() + transaction.then.size() + transaction.otherwise.size(), limits));
  for (const Condition& condition : transaction.conditions) {
    HOLDFAST_RETURN_IF_ERROR(ValidateKey(condition.key, limits));
  }
  for (const std::vector<Operation>* branch : {&transaction.then, &transaction.otherwise}) {
    for (const Operation& operation : *branch) HOLDFAST_RETURN_IF_ERROR(Validate(operation, limits));
  }
  return {};
}

Status Validate(const ScanRequest& request) {
  const bool looks = !request.filter || (request.filter->max_matches > 0 && request.filter->max_examined > 0);
  if (request.limit > 0 && looks) return {};
  return Error(ErrorCode::kInvalidArgument, "limit is 0: a page holds at least 1 entry");
}

void Backend::Load(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) {
  const std::size_t most = std::max<std::size_t>(limits().max_operations, 1);
  for (std::size_t first = 0; first < operations.size(); first += most) {
    const std::size_t some = std::min(most, operations.size() - first);
    Execute(operations.subspan(first, some), results.subspan(first, some), deadline);
  }
}

void FailAll(std::span<OperationResult> results, const Error& error) {
  for (OperationResult& result : results) {
    result = OperationResult{};
    result.status = error;
  }
}

}  // namespace holdfast::storage
