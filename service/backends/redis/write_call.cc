#include "service/backends/redis/write_call.h"

#include <fmt/format.h>

#include <charconv>

#include "base/redis/reply.h"
#include "service/backends/redis/entry_record.h"
#include "service/backends/redis/held_locks.h"
#include "service/backends/redis/script_call.h"

namespace holdfast::storage::redis_backend {
namespace {

Error Unexpected() {
  return {ErrorCode::kOutcomeUnknown, "the script that writes answered something else than was expected"};
}

Result<std::int64_t> NumberOf(const redis::Value& value) {
  if (value.IsInteger()) return value.integer();
  std::int64_t number = 0;
  if (!value.IsString()) return Unexpected();
  const std::string& text = value.text();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return Unexpected();
  return number;
}

constexpr std::size_t kBeforeRows = 7;

Result<WriteAnswer> AnswerOf(const std::vector<redis::Value>& reply, std::size_t keys) {
  WriteAnswer answer;
  if (reply.empty() || !reply[0].IsString()) return Unexpected();
  if (reply[0].text() == "joined not") {
    answer.outcome = WriteAnswer::Outcome::kNotJoined;
    return answer;
  }
  if (reply[0].text() == "too large") {
    answer.outcome = WriteAnswer::Outcome::kTooLarge;
    return answer;
  }
  if (reply[0].text() == "locks paused" && reply.size() == 2) {
    answer.outcome = WriteAnswer::Outcome::kLocksPaused;
    HOLDFAST_ASSIGN_OR_RETURN(answer.pause, NumberOf(reply[1]));
    return answer;
  }
  if (reply.size() != kBeforeRows + keys || !reply[3].IsString()) return Unexpected();
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t now, NumberOf(reply[1]));
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t first_version, NumberOf(reply[2]));
  answer.direct = reply[3].text() == "1";
  HOLDFAST_ASSIGN_OR_RETURN(answer.logged.epoch, NumberOf(reply[4]));
  HOLDFAST_ASSIGN_OR_RETURN(answer.logged.position, NumberOf(reply[5]));
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t changes, NumberOf(reply[6]));
  answer.now = Timestamp{std::chrono::microseconds{now}};
  answer.first_version = static_cast<Version>(first_version);
  answer.changes = static_cast<std::uint64_t>(changes);
  answer.rows.reserve(keys);
  for (std::size_t i = kBeforeRows; i < reply.size(); ++i) {
    EntryPtr row;
    if (reply[i].IsString()) {
      auto decoded = DecodeRecord(reply[i].text());
      if (!decoded.ok()) return std::move(decoded).error();
      row = std::move(*decoded);
    } else if (!reply[i].IsNil()) {
      return Unexpected();
    }
    answer.rows.push_back(std::move(row));
  }
  return answer;
}

std::string_view WordOf(WriteCall::What what) {
  switch (what) {
    case WriteCall::What::kExecute:
      return "execute";
    case WriteCall::What::kTransact:
      return "transact";
    case WriteCall::What::kSweep:
      break;
  }
  return "sweep";
}

}  // namespace

std::size_t WriteCall::AddKey(std::string_view key) {
  const auto [place, added] = places_.emplace(key, keys_.size());
  if (added) keys_.push_back(key);
  return place->second;
}

void WriteCall::AddPrecondition(const Precondition& precondition, std::vector<std::string_view>* words) {
  switch (precondition.kind) {
    case Precondition::Kind::kNone:
      words->insert(words->end(), {"none", ""});
      return;
    case Precondition::Kind::kAbsent:
      words->insert(words->end(), {"absent", ""});
      return;
    case Precondition::Kind::kPresent:
      words->insert(words->end(), {"present", ""});
      return;
    case Precondition::Kind::kVersion:
      words->insert(words->end(), {"version", Keep(VersionDigits(precondition.version))});
      return;
    case Precondition::Kind::kValue:
      words->insert(words->end(), {"value", Keep(Comparable(precondition.value))});
      return;
    case Precondition::Kind::kNotFenced:
      words->insert(words->end(), {"fence", Keep(std::to_string(precondition.token))});
      return;
  }
}

void WriteCall::AddCondition(const Condition& condition) {
  conditions_.push_back(Keep(std::to_string(AddKey(condition.key) + 1)));
  AddPrecondition(condition.precondition, &conditions_);
}

void WriteCall::AddOperation(const Operation& operation) {
  std::optional<std::string> packed;
  if (operation.kind == OperationKind::kPut) {
    packed = PackValue(operation.value, compression_);
    takes_lock_ = takes_lock_ || IsLock(operation.key);
  }
  operations_.push_back(packed ? "pack" : OperationKindName(operation.kind));
  operations_.push_back(Keep(std::to_string(AddKey(operation.key) + 1)));
  AddPrecondition(operation.precondition, &operations_);
  switch (operation.expiry.kind) {
    case Expiry::Kind::kNever:
      operations_.insert(operations_.end(), {"never", ""});
      break;
    case Expiry::Kind::kKeep:
      operations_.insert(operations_.end(), {"keep", ""});
      break;
    case Expiry::Kind::kAfter:
      operations_.insert(operations_.end(), {"after", Keep(std::to_string(operation.expiry.after.count()))});
      break;
    case Expiry::Kind::kAt:
      operations_.insert(operations_.end(), {"at", Keep(Digits(operation.expiry.at.time_since_epoch().count()))});
      break;
  }
  switch (operation.kind) {
    case OperationKind::kPut:
      operations_.push_back(Keep(EncodeAttributes(operation.content_type, operation.metadata, operation.tags)));
      if (packed) {
        value_bytes_ += operation.value.size();
        packed_bytes_ += packed->size();
        operations_.push_back(Keep(*std::move(packed)));
      } else {
        operations_.push_back(operation.value);
      }
      break;
    case OperationKind::kIncrement:
      operations_.push_back(Keep(EncodeAttributes({}, {}, {})));
      operations_.push_back(Keep(std::to_string(operation.by)));
      break;
    default:
      operations_.insert(operations_.end(), {"", ""});
  }
}

Status WriteCall::AddTo(redis::Pipeline& pipeline, What what, const Scripts& scripts, const RedisOptions& options,
                        std::string_view prefix, std::string_view clock, std::string_view instance,
                        const ChangeStream::Turn* turn) const {
  const std::string length = std::to_string(options.change_stream_length);
  const std::string keys = std::to_string(keys_.size());
  const std::string conditions = std::to_string(conditions_.size() / 3);
  const std::string thens = std::to_string(thens_);
  std::vector<std::string_view> arguments{clock,
                                          instance,
                                          turn != nullptr ? std::string_view(turn->joins) : std::string_view(),
                                          turn != nullptr ? std::string_view(turn->position) : std::string_view(),
                                          length,
                                          what == What::kSweep ? "1" : "0",
                                          WordOf(what),
                                          takes_lock_ ? "1" : "0",
                                          keys};
  arguments.reserve(arguments.size() + keys_.size() + conditions_.size() + operations_.size() + 2);
  arguments.insert(arguments.end(), keys_.begin(), keys_.end());
  if (what == What::kTransact) {
    arguments.push_back(conditions);
    arguments.insert(arguments.end(), conditions_.begin(), conditions_.end());
    arguments.push_back(thens);
  }
  arguments.insert(arguments.end(), operations_.begin(), operations_.end());
  std::size_t bytes = 0;
  for (const std::string_view argument : arguments) bytes += argument.size();
  if (bytes > kSentBytesPerCall) {
    return Error(ErrorCode::kResourceExhausted,
                 fmt::format("the operations hold {} bytes, one step takes {}: send fewer or smaller ones at once",
                             bytes, kSentBytesPerCall));
  }
  AddScript(pipeline, redis::Effect::kWrite, scripts.write, options, prefix, arguments);
  return {};
}

Result<WriteAnswer> WriteCall::Take(Result<redis::Value> reply) const {
  if (!reply.ok()) return std::move(reply).error();
  if (!reply->IsArray()) return Unexpected();
  return AnswerOf(reply->elements(), keys_.size());
}

}  // namespace holdfast::storage::redis_backend
