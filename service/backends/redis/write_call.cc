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
// Of the letters of a head.
constexpr char kPut = 'P';
constexpr char kPackedPut = 'Z';

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

// The letters that the script knows; the capital ones and '@' have an argument.
char LetterOf(const Precondition& precondition) {
  switch (precondition.kind) {
    case Precondition::Kind::kAbsent:
      return 'a';
    case Precondition::Kind::kPresent:
      return 'p';
    case Precondition::Kind::kVersion:
      return 'V';
    case Precondition::Kind::kValue:
      return 'E';
    case Precondition::Kind::kNotFenced:
      return 'F';
    case Precondition::Kind::kNone:
      break;
  }
  return 'n';
}

char LetterOf(const Expiry& expiry) {
  switch (expiry.kind) {
    case Expiry::Kind::kKeep:
      return 'k';
    case Expiry::Kind::kAfter:
      return 'A';
    case Expiry::Kind::kAt:
      return '@';
    case Expiry::Kind::kNever:
      break;
  }
  return 'n';
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

void WriteCall::AddHead(char kind, std::string_view key, const Precondition& precondition, const Expiry& expiry,
                        std::vector<std::string_view>* words) {
  const std::size_t known = keys_.size();
  own_places_.push_back(AddKey(key));
  only_puts_ = only_puts_ && (kind == kPut || kind == kPackedPut) && keys_.size() > known &&
               precondition.kind == Precondition::Kind::kNone && expiry.kind == Expiry::Kind::kNever;
  const std::size_t place = own_places_.back() + 1;
  words->push_back(Keep({kind, LetterOf(precondition), LetterOf(expiry), static_cast<char>(place >> 16 & 0xff),
                         static_cast<char>(place >> 8 & 0xff), static_cast<char>(place & 0xff)}));
  if (precondition.kind == Precondition::Kind::kVersion) {
    words->push_back(Keep(VersionDigits(precondition.version)));
  } else if (precondition.kind == Precondition::Kind::kValue) {
    words->push_back(Keep(Comparable(precondition.value)));
  } else if (precondition.kind == Precondition::Kind::kNotFenced) {
    words->push_back(Keep(std::to_string(precondition.token)));
  }
  if (expiry.kind == Expiry::Kind::kAfter) {
    words->push_back(Keep(std::to_string(expiry.after.count())));
  } else if (expiry.kind == Expiry::Kind::kAt) {
    words->push_back(Keep(Digits(expiry.at.time_since_epoch().count())));
  }
}

void WriteCall::AddCondition(const Condition& condition) {
  ++conditions_;
  AddHead('c', condition.key, condition.precondition, Expiry::Never(), &condition_words_);
}

void WriteCall::AddPut(const Operation& operation) {
  takes_lock_ = takes_lock_ || IsLock(operation.key);
  const std::optional<std::string> packed = PackValue(operation.value, compression_);
  if (packed) {
    value_bytes_ += operation.value.size();
    packed_bytes_ += packed->size();
  }
  AddHead(packed ? kPackedPut : kPut, operation.key, operation.precondition, operation.expiry, &words_);
  const std::string& value = packed ? *packed : operation.value;
  std::string rest = EncodeAttributes(operation.content_type, operation.metadata, operation.tags, value.size());
  rest.append(value);
  words_.push_back(Keep(std::move(rest)));
}

void WriteCall::AddOperation(const Operation& operation) {
  const auto add = [&](char kind) { AddHead(kind, operation.key, operation.precondition, operation.expiry, &words_); };
  switch (operation.kind) {
    case OperationKind::kGet:
      return add('g');
    case OperationKind::kPut:
      return AddPut(operation);
    case OperationKind::kDelete:
      return add('d');
    case OperationKind::kTake:
      return add('t');
    case OperationKind::kTouch:
      return add('s');
    case OperationKind::kIncrement:
      add('I');
      words_.push_back(Keep(EncodeAttributes({}, {}, {})));
      words_.push_back(Keep(std::to_string(operation.by)));
      return;
  }
}

// `names` holds the bytes that the arguments view.
void WriteCall::AddPuts(std::string* names, std::string_view prefix, std::vector<std::string_view>* arguments) const {
  constexpr std::string_view kRows = "e:";
  std::size_t size = keys_.size();
  for (const std::string_view key : keys_) size += prefix.size() + kRows.size() + key.size();
  names->reserve(size);
  constexpr std::size_t kWordsPerPut = 2;
  for (std::size_t i = 0; i < words_.size(); i += kWordsPerPut) {
    names->push_back(words_[i].front() == kPut ? kPlainRecord : kPackedRecord);
  }
  arguments->emplace_back(*names);
  for (const std::string_view key : keys_) {
    const std::size_t begin = names->size();
    names->append(prefix).append(kRows).append(key);
    arguments->push_back(std::string_view(*names).substr(begin));
  }
  for (std::size_t i = 1; i < words_.size(); i += kWordsPerPut) arguments->push_back(words_[i]);
}

Status WriteCall::AddTo(redis::Pipeline& pipeline, What what, const Scripts& scripts, const RedisOptions& options,
                        std::string_view prefix, std::string_view clock, std::string_view instance,
                        const ChangeStream::Turn* turn) const {
  const std::string length = std::to_string(options.change_stream_length);
  const std::string keys = std::to_string(keys_.size());
  const std::string conditions = std::to_string(conditions_);
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
  arguments.reserve(arguments.size() + keys_.size() + condition_words_.size() + words_.size() + 2);
  const bool puts = what == What::kExecute && only_puts_ && !keys_.empty();
  std::string names;
  if (puts) {
    AddPuts(&names, prefix, &arguments);
  } else {
    arguments.insert(arguments.end(), keys_.begin(), keys_.end());
    if (what == What::kTransact) {
      arguments.push_back(conditions);
      arguments.insert(arguments.end(), condition_words_.begin(), condition_words_.end());
      arguments.push_back(thens);
    }
    arguments.insert(arguments.end(), words_.begin(), words_.end());
  }
  std::size_t bytes = 0;
  for (const std::string_view argument : arguments) bytes += argument.size();
  if (bytes > kSentBytesPerCall) {
    return Error(ErrorCode::kResourceExhausted,
                 fmt::format("the operations hold {} bytes, one step takes {}: send fewer or smaller ones at once",
                             bytes, kSentBytesPerCall));
  }
  AddScript(pipeline, redis::Effect::kWrite, puts ? scripts.put : scripts.write, options, prefix, arguments);
  return {};
}

Result<WriteAnswer> WriteCall::Take(Result<redis::Value> reply) const {
  if (!reply.ok()) return std::move(reply).error();
  if (!reply->IsArray()) return Unexpected();
  return AnswerOf(reply->elements(), keys_.size());
}

}  // namespace holdfast::storage::redis_backend
