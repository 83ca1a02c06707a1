// The bodies of batch and transaction: JSON to operations and conditions. Whatever is accepted is something the storage
// contract can judge without surprise, and within the number asked for.
#include <array>
#include <string>

#include "service/api/operation_json.h"
#include "service/storage/backend.h"
#include "tests/fuzz/input.h"

namespace holdfast::api {
namespace {

using fuzz::Check;

constexpr std::size_t kMaxOperations = 16;

void CheckOperation(const storage::Operation& operation) {
  const Status valid = storage::Validate(operation, storage::Limits{});
  if (valid.ok()) {
    Check(!operation.key.empty(), "a valid operation has a key");
  } else {
    Check(valid.error().code() == ErrorCode::kInvalidArgument || valid.error().code() == ErrorCode::kResourceExhausted,
          "refused as the client's mistake");
  }
  const auto& expiry = operation.expiry;
  Check(expiry.kind != storage::Expiry::Kind::kAfter || expiry.after.count() > 0, "a time to live is above zero");
}

}  // namespace
}  // namespace holdfast::api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::api;
  using holdfast::fuzz::Check;
  auto json = holdfast::json::ParseJson(holdfast::fuzz::Input(data, size).Rest());
  if (!json.ok() || json->kind != holdfast::json::JsonValue::Kind::kObject) return 0;
  holdfast::storage::Store store;
  store.name = "main";
  for (const std::string_view name : {"operations", "then", "else"}) {
    holdfast::json::JsonValue* const list = json->Find(name);
    if (list == nullptr) continue;
    const auto operations = ParseOperations(*list, name, store, kMaxOperations);
    if (!operations.ok()) {
      Check(operations.error().code() != holdfast::ErrorCode::kInternal, "no mistake of a client is internal");
      continue;
    }
    Check(operations->size() <= kMaxOperations, "no more operations than allowed");
    for (const ParsedOperation& parsed : *operations) CheckOperation(parsed.operation);
  }
  if (holdfast::json::JsonValue* const conditions = json->Find("if")) {
    const auto parsed = ParseConditions(*conditions, "if", kMaxOperations);
    if (parsed.ok()) Check(parsed->size() <= kMaxOperations, "no more conditions than allowed");
  }
  return 0;
}
