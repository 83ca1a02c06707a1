// Handing one operation to the exchange's store, counted and checked the same way everywhere.
#pragma once

#include "service/api/exchange.h"
#include "service/storage/types.h"

namespace holdfast::api {

// The answer to an operation that did not succeed; with the current version when a precondition failed.
Problem OperationProblem(const storage::OperationResult& result);
// The answer to a transaction that was not done. Its kVersionConflict means that others got in its way again and again:
// 409, since the client has named no version that could be wrong.
Problem TransactionProblem(const Error& error);
// The answer to an operation that is beyond the store's limits: 413 naming the limit, or 400.
Problem LimitProblem(const Error& error, const storage::Limits& limits);

// Counts for the hot keys; the operation's key is the backend's.
void RecordAccess(const Exchange& exchange, const storage::Operation& operation);

// Checks the operation against the store's limits and submits it. `answer` is called once, from any thread, and
// answers the exchange; what it needs of the result it may move out.
using AnswerOne = void (*)(Exchange& exchange, storage::OperationResult& result);
void SubmitOne(ExchangePtr exchange, storage::Operation&& operation, AnswerOne answer);

// Runs `work` on the store's own pool; when that is full, answers 503 instead.
void RunOnPool(ExchangePtr exchange, std::function<void(Exchange& exchange)> work);

}  // namespace holdfast::api
