// Replies taken apart: what was expected of the server, or an Error that says what came instead. The one place that
// knows the server's error words.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/redis/value.h"
#include "base/result/result.h"

namespace holdfast::redis {

// One for each command of a pipeline, in their order. An Error is either the server's refusal of this command (ToError)
// or the loss of the connection before its reply was there (Connection::Run); a Value is never of type kError, but an
// array may hold some.
using Replies = std::vector<Result<Value>>;

// The first word of the server's message, "ERR" when there is none in capitals.
std::string_view ErrorWord(std::string_view line);

// The server's refusal in the codes of the contract, with the remedy. Nothing was done when a server says so, save that
// a script may have failed half-way (kInternal). The rest of the message is shortened, holds printable characters only
// and no arguments of the command.
//   LOADING, MASTERDOWN, READONLY, UNBLOCKED, NOREPLICAS, BUSY, CLUSTERDOWN, TRYAGAIN, MISCONF, NOSCRIPT, too many
//   clients -> kUnavailable
//   OOM -> kResourceExhausted;  NOAUTH, WRONGPASS -> kUnavailable;  NOPERM -> kFailedPrecondition
//   MOVED, ASK -> kNotSupported: the server belongs to a Redis Cluster, and was not named as one
//   the same to a client `in_cluster` -> kUnavailable: the slot has another place
//   CROSSSLOT -> kNotSupported;  WRONGTYPE, EXECABORT, UNKILLABLE, NOTBUSY -> kFailedPrecondition
//   unknown command -> kNotSupported;  anything else -> kInternal
Error ToError(std::string_view line, bool in_cluster = false);

// kInternal names `what` and both types when the value is another. An error within an array is mapped by ToError.
Result<std::int64_t> AsInteger(Result<Value> reply, std::string_view what);
Result<std::string> AsString(Result<Value> reply, std::string_view what);
// Nil is nothing.
Result<std::optional<std::string>> AsOptionalString(Result<Value> reply, std::string_view what);
Result<std::vector<Value>> AsArray(Result<Value> reply, std::string_view what);
// Any status.
Status AsStatus(Result<Value> reply, std::string_view what);

}  // namespace holdfast::redis
