#include "base/redis/reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace holdfast::redis {
namespace {

constexpr std::size_t kMaxQuoted = 200;

constexpr std::string_view kCluster =
    "the server belongs to a Redis Cluster: name it as one (redis+cluster://HOST:PORT,HOST:PORT)";

struct Row {
  std::string_view beginning;  // of the server's line
  ErrorCode code;
  std::string_view remedy;
};

// The first that matches counts.
constexpr std::array kRows = {
    Row{"LOADING", ErrorCode::kUnavailable, "the server reads its data: try again later"},
    Row{"READONLY", ErrorCode::kUnavailable, "the server is a replica and takes no writes: the master is looked for"},
    Row{"MASTERDOWN", ErrorCode::kUnavailable, "the replica has lost its master: try again later"},
    Row{"UNBLOCKED", ErrorCode::kUnavailable, "the server became a replica while it waited: the master is looked for"},
    Row{"NOREPLICAS", ErrorCode::kUnavailable, "fewer replicas are in step than min-replicas-to-write asks for"},
    Row{"OOM", ErrorCode::kResourceExhausted, "the server's maxmemory is used up: raise it or delete keys"},
    Row{"BUSYGROUP", ErrorCode::kAlreadyExists, "the consumer group exists"},
    Row{"BUSYKEY", ErrorCode::kAlreadyExists, "the key exists"},
    Row{"BUSY", ErrorCode::kUnavailable, "a script keeps the server busy: try again later, or SCRIPT KILL"},
    Row{"MISCONF", ErrorCode::kUnavailable, "the server cannot save its data and refuses writes: look at its disk"},
    Row{"TRYAGAIN", ErrorCode::kUnavailable, "the keys are being moved: try again"},
    Row{"CLUSTERDOWN", ErrorCode::kUnavailable, "the Redis Cluster does not serve all its slots"},
    Row{"MOVED", ErrorCode::kNotSupported, kCluster},
    Row{"ASK", ErrorCode::kNotSupported, kCluster},
    Row{"CROSSSLOT", ErrorCode::kNotSupported, "the keys lie in different slots: give them a common {hash tag}"},
    Row{"NOAUTH", ErrorCode::kUnavailable, "the server asks for a login: give user and password"},
    Row{"WRONGPASS", ErrorCode::kUnavailable, "the server refused the login: check user and password"},
    Row{"ERR invalid password", ErrorCode::kUnavailable, "the server refused the login: check the password"},
    Row{"ERR AUTH", ErrorCode::kUnavailable, "the server asks for no password: leave it out"},
    Row{"ERR Client sent AUTH", ErrorCode::kUnavailable, "the server asks for no password: leave it out"},
    Row{"NOPERM", ErrorCode::kFailedPrecondition, "the user may not: grant it the command and the keys (ACL SETUSER)"},
    Row{"DENIED", ErrorCode::kUnavailable, "the server runs in protected mode: set a password there"},
    Row{"ERR max number of clients", ErrorCode::kUnavailable,
        "the server has maxclients connections: raise it or lower pool_max"},
    Row{"ERR DB index", ErrorCode::kInvalidArgument, "the database number is not below the server's `databases`"},
    Row{"ERR invalid DB index", ErrorCode::kInvalidArgument, "the database number is not valid"},
    Row{"ERR unknown command", ErrorCode::kNotSupported, "the server does not know the command: Redis 7.0 is needed"},
    Row{"WRONGTYPE", ErrorCode::kFailedPrecondition, "another program uses the same keys: set another key prefix"},
    Row{"EXECABORT", ErrorCode::kFailedPrecondition, "a command of the transaction was refused"},
    Row{"NOSCRIPT", ErrorCode::kUnavailable, "the server has forgotten the script: try again"},
    Row{"NOTBUSY", ErrorCode::kFailedPrecondition, "no script runs"},
    Row{"UNKILLABLE", ErrorCode::kFailedPrecondition, "the script has written already: wait for its end"},
};

// Redis quotes arguments of commands it does not know; they may be values, or a password.
std::string_view WithoutArguments(std::string_view line) {
  for (const std::string_view mark : {", with args beginning with", "; with args"}) {
    line = line.substr(0, line.find(mark));
  }
  return line.substr(0, kMaxQuoted);
}

std::string Printable(std::string_view line) {
  std::string printable(WithoutArguments(line));
  std::replace_if(
      printable.begin(), printable.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return printable;
}

Error Unexpected(const Value& value, std::string_view what, std::string_view wanted) {
  if (value.IsError()) return ToError(value.text()).WithContext(what);
  return {ErrorCode::kInternal,
          fmt::format("{}: Redis answered with {} where {} was expected", what, TypeName(value.type()), wanted)};
}

}  // namespace

std::string_view ErrorWord(std::string_view line) {
  const std::string_view word = line.substr(0, line.find(' '));
  const bool capitals =
      !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  return capitals ? word : "ERR";
}

Error ToError(std::string_view line, bool in_cluster) {
  if (in_cluster && (line.starts_with("MOVED ") || line.starts_with("ASK "))) {
    return {ErrorCode::kUnavailable, fmt::format("Redis says {}; the slot is moving: try again", Printable(line))};
  }
  const auto* row =
      std::find_if(kRows.begin(), kRows.end(), [&](const Row& each) { return line.starts_with(each.beginning); });
  if (row == kRows.end()) return {ErrorCode::kInternal, fmt::format("Redis says {}", Printable(line))};
  return {row->code, fmt::format("Redis says {}; {}", Printable(line), row->remedy)};
}

Result<std::int64_t> AsInteger(Result<Value> reply, std::string_view what) {
  if (!reply.ok()) return std::move(reply).error().WithContext(what);
  if (!reply->IsInteger()) return Unexpected(*reply, what, "integer");
  return reply->integer();
}

Result<std::string> AsString(Result<Value> reply, std::string_view what) {
  if (!reply.ok()) return std::move(reply).error().WithContext(what);
  if (!reply->IsString()) return Unexpected(*reply, what, "string");
  return std::move(reply->text());
}

Result<std::optional<std::string>> AsOptionalString(Result<Value> reply, std::string_view what) {
  if (!reply.ok()) return std::move(reply).error().WithContext(what);
  if (reply->IsNil()) return std::optional<std::string>();
  if (!reply->IsString()) return Unexpected(*reply, what, "string");
  return std::optional<std::string>(std::move(reply->text()));
}

Result<std::vector<Value>> AsArray(Result<Value> reply, std::string_view what) {
  if (!reply.ok()) return std::move(reply).error().WithContext(what);
  if (!reply->IsArray()) return Unexpected(*reply, what, "array");
  return std::move(reply->elements());
}

Status AsStatus(Result<Value> reply, std::string_view what) {
  if (!reply.ok()) return std::move(reply).error().WithContext(what);
  if (reply->type() != Value::Type::kStatus) return Unexpected(*reply, what, "status");
  return {};
}

}  // namespace holdfast::redis
