// Operations and their results as documents: what batches and transactions are made of. docs/api.md describes the
// fields.
#pragma once

#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "service/api/problem.h"
#include "service/json/document_writer.h"
#include "service/json/json_value.h"
#include "service/storage/store.h"

namespace holdfast::api {

struct ParsedOperation {
  storage::Operation operation;
  bool base64 = false;  // the client wrote base64 and gets base64 back
};

// Members of `object` that are not in `known` are refused by name; `where` stands in front of the message.
Status CheckMembers(const json::JsonValue& object, std::span<const std::string_view> known, std::string_view where);

// An array of operations; `where` is "operations", "then", "else". The values are moved out of `json`.
Result<std::vector<ParsedOperation>> ParseOperations(json::JsonValue& json, std::string_view where,
                                                     const storage::Store& store, std::size_t max_operations);
// An array of a transaction's conditions.
Result<std::vector<storage::Condition>> ParseConditions(json::JsonValue& json, std::string_view where,
                                                        std::size_t max_conditions);

// {"status","etag"?,"value"?,"encoding"?,...}
void WriteResult(storage::OperationKind kind, bool base64, const storage::OperationResult& result,
                 json::DocumentWriter* out);
// {"status","etag"?,"error":{"code","detail","retryable"}}
void WriteFailure(const Problem& problem, json::DocumentWriter* out);

}  // namespace holdfast::api
