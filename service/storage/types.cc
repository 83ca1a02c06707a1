#include "service/storage/types.h"

#include <algorithm>

namespace holdfast::storage {

std::string_view OperationKindName(OperationKind kind) {
  switch (kind) {
    case OperationKind::kGet:
      return "get";
    case OperationKind::kPut:
      return "put";
    case OperationKind::kDelete:
      return "delete";
    case OperationKind::kTake:
      return "take";
    case OperationKind::kTouch:
      return "touch";
    case OperationKind::kIncrement:
      return "increment";
  }
  return "unknown";
}

Operation Operation::Get(std::string key) {
  Operation operation;
  operation.kind = OperationKind::kGet;
  operation.key = std::move(key);
  return operation;
}

Operation Operation::Put(std::string key, std::string value, Precondition precondition, Expiry expiry) {
  Operation operation;
  operation.kind = OperationKind::kPut;
  operation.key = std::move(key);
  operation.value = std::move(value);
  operation.precondition = std::move(precondition);
  operation.expiry = expiry;
  return operation;
}

Operation Operation::Delete(std::string key, Precondition precondition) {
  Operation operation;
  operation.kind = OperationKind::kDelete;
  operation.key = std::move(key);
  operation.precondition = std::move(precondition);
  return operation;
}

Operation Operation::Take(std::string key, Precondition precondition) {
  Operation operation = Delete(std::move(key), std::move(precondition));
  operation.kind = OperationKind::kTake;
  return operation;
}

Operation Operation::Touch(std::string key, Expiry expiry, Precondition precondition) {
  Operation operation;
  operation.kind = OperationKind::kTouch;
  operation.key = std::move(key);
  operation.expiry = expiry;
  operation.precondition = std::move(precondition);
  return operation;
}

Operation Operation::Increment(std::string key, std::int64_t by, Precondition precondition, Expiry expiry) {
  Operation operation;
  operation.kind = OperationKind::kIncrement;
  operation.key = std::move(key);
  operation.by = by;
  operation.precondition = std::move(precondition);
  operation.expiry = expiry;
  return operation;
}

KeyRange KeyRange::Prefix(std::string_view prefix) {
  KeyRange range;
  range.start = std::string(prefix);
  // The least string above every one with the prefix: a trailing 0xff cannot be raised, so the carry moves left. A
  // prefix of 0xff alone has no upper end.
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) {
    end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
    range.end = std::move(end);
  }
  return range;
}

bool KeyRange::Contains(std::string_view key) const {
  return key >= start && (!end || key < *end);
}

KeyRange KeyRange::Intersect(const KeyRange& other) const {
  KeyRange both;
  both.start = std::max(start, other.start);
  if (end && other.end) {
    both.end = std::min(*end, *other.end);
  } else {
    both.end = end ? end : other.end;
  }
  return both;
}

}  // namespace holdfast::storage
