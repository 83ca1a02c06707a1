#include "service/dual_write/dual_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::dual_write {

using storage::IsWrite;
using storage::Operation;
using storage::OperationResult;

namespace {

bool IsUnknown(const Status& status) {
  return !status.ok() && status.error().code() == ErrorCode::kOutcomeUnknown;
}

// An answer that rests on what the source has: all but those that say that nothing was looked at.
bool TellsOfTheSource(const Status& status) {
  if (status.ok()) return true;
  switch (status.error().code()) {
    case ErrorCode::kNotFound:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kVersionConflict:
    case ErrorCode::kFenced:
    case ErrorCode::kFailedPrecondition:
    case ErrorCode::kOutcomeUnknown:
      return true;
    default:
      return false;
  }
}

bool MayHaveChanged(const Operation& operation, const OperationResult& result) {
  return IsWrite(operation.kind) && (result.status.ok() || IsUnknown(result.status));
}

Error NotCopied(const Error& why) {
  return {ErrorCode::kOutcomeUnknown,
          fmt::format("the source of the migration has the write, its target may not: {}", why.ToString())};
}
Error NotToBeTold(const Error& why) {
  return {ErrorCode::kUnavailable,
          fmt::format("the target of the migration, which answers reads, cannot be brought up to date: {}",
                      why.ToString())};
}

std::vector<std::string_view> Views(const std::set<std::string>& keys) {
  return {keys.begin(), keys.end()};
}

}  // namespace

std::vector<Task> DualWriter::TasksOf(const std::set<std::string>& keys, const std::set<std::string>& written,
                                      bool strict) const {
  std::vector<Task> tasks;
  tasks.reserve(keys.size());
  for (const std::string& key : keys) {
    const bool intent = strict && written.contains(key);
    tasks.push_back({key, intent ? rows_.Intent(instance_, key) : ""});
  }
  return tasks;
}

Status DualWriter::PutIntents(std::span<const Task> tasks, Deadline deadline) const {
  std::vector<Operation> puts;
  for (const Task& task : tasks) {
    if (!task.intent.empty()) puts.push_back(Operation::Put(task.intent, "1"));
  }
  const std::size_t most = target_.limits().max_operations;
  for (std::size_t begin = 0; begin < puts.size(); begin += most) {
    const auto part = std::span<const Operation>(puts).subspan(begin, std::min(most, puts.size() - begin));
    std::vector<OperationResult> results(part.size());
    target_.Execute(part, results, deadline);
    for (OperationResult& result : results) {
      if (result.status.ok()) continue;
      // Whatever became of the intent: nothing else has been done.
      return Error(ErrorCode::kUnavailable,
                   fmt::format("the target of the migration takes no writes: {}", result.status.error().ToString()));
    }
  }
  return {};
}

void DualWriter::Execute(Phase phase, const std::string& id, std::span<const Operation> operations,
                         std::span<OperationResult> results, Deadline deadline) {
  const bool strict = IsStrict(phase);
  const bool switched = phase == Phase::kReadsSwitched;
  std::set<std::string> keys;
  std::set<std::string> written;
  for (const Operation& operation : operations) {
    if (!IsWrite(operation.kind) && !switched) continue;
    keys.insert(operation.key);
    if (IsWrite(operation.kind)) written.insert(operation.key);
  }
  if (keys.empty() || deadline.Expired()) return source_.Execute(operations, results, deadline);

  const std::vector<std::string_view> views = Views(keys);
  const auto held = locks_.Lock(views);
  std::vector<Task> tasks = TasksOf(keys, written, strict);
  if (strict) {
    if (const Status put = PutIntents(tasks, deadline); !put.ok()) return storage::FailAll(results, put.error());
  }
  source_.Execute(operations, results, deadline);

  std::set<std::string> changed;
  std::set<std::string> unknown;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (MayHaveChanged(operations[i], results[i])) changed.insert(operations[i].key);
    if (IsUnknown(results[i].status)) unknown.insert(operations[i].key);
  }
  // A strict one takes its intents back, whatever has happened; but not those of writes that may yet take effect.
  if (!strict) std::erase_if(tasks, [&](const Task& task) { return !changed.contains(task.key); });
  for (Task& task : tasks) {
    if (unknown.contains(task.key)) task.intent.clear();
  }
  if (tasks.empty()) return;
  const Status copied = mirror_.Copy(tasks, id, deadline);
  if (copied.ok()) return;
  if (!strict) return Missed(tasks.size());
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (MayHaveChanged(operations[i], results[i])) {
      results[i] = OperationResult{};
      results[i].status = NotCopied(copied.error());
    } else if (switched && TellsOfTheSource(results[i].status)) {
      results[i] = OperationResult{};
      results[i].status = NotToBeTold(copied.error());
    }
  }
}

Result<storage::TransactionResult> DualWriter::Transact(Phase phase, const std::string& id,
                                                        const storage::Transaction& transaction, Deadline deadline) {
  const bool strict = IsStrict(phase);
  const bool switched = phase == Phase::kReadsSwitched;
  std::set<std::string> keys;
  std::set<std::string> written;
  for (const auto* branch : {&transaction.then, &transaction.otherwise}) {
    for (const Operation& operation : *branch) {
      if (IsWrite(operation.kind)) written.insert(operation.key);
      keys.insert(operation.key);
    }
  }
  for (const storage::Condition& condition : transaction.conditions) keys.insert(condition.key);
  if (!switched) keys = written;
  if (keys.empty() || deadline.Expired()) return source_.Transact(transaction, deadline);
  if (keys.size() > KeysPerTransaction(target_.limits())) {
    return Error(
        ErrorCode::kResourceExhausted,
        fmt::format("the transaction has {} keys, and the target of the migration takes {} at once: send fewer",
                    keys.size(), KeysPerTransaction(target_.limits())));
  }

  const std::vector<std::string_view> views = Views(keys);
  const auto held = locks_.Lock(views);
  std::vector<Task> tasks = TasksOf(keys, written, strict);
  if (strict) HOLDFAST_RETURN_IF_ERROR(PutIntents(tasks, deadline));
  auto result = source_.Transact(transaction, deadline);
  const bool unknown = !result.ok() && result.error().code() == ErrorCode::kOutcomeUnknown;
  if (!strict && (result.ok() ? !result->applied : !unknown)) return result;
  if (unknown) {
    for (Task& task : tasks) task.intent.clear();
  }
  const Status copied = mirror_.Copy(tasks, id, deadline);
  if (copied.ok() || !result.ok()) return result;
  if (!strict) {
    Missed(tasks.size());
    return result;
  }
  const bool changed = result->applied && std::any_of(result->results.begin(), result->results.end(),
                                                      [](const OperationResult& one) { return one.status.ok(); });
  if (changed) return NotCopied(copied.error());
  if (switched) return NotToBeTold(copied.error());
  return result;
}

}  // namespace holdfast::dual_write
