#include "service/transactions/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "service/storage/decision.h"

namespace holdfast::transactions {
namespace {

using storage::EntryPtr;
using storage::Operation;
using storage::OperationKind;
using storage::OperationResult;
using storage::Precondition;

constexpr std::array<std::string_view, 3> kNames = {"read_committed", "repeatable_read", "serializable"};

OperationResult Failed(Error error) {
  OperationResult result;
  result.status = std::move(error);
  return result;
}

// Whether what the operation does, or answers beyond "there was something", hangs on what stood there.
bool DecidedByContent(const Operation& operation) {
  if (operation.precondition.kind != Precondition::Kind::kNone) return true;
  switch (operation.kind) {
    case OperationKind::kTake:
    case OperationKind::kTouch:
    case OperationKind::kIncrement:
      return true;
    default:
      return false;
  }
}

std::size_t BytesOf(const Operation& operation) {
  return operation.key.size() + operation.value.size() + operation.metadata.size();
}

Precondition Unchanged(storage::Version version) {
  return version == 0 ? Precondition::Absent() : Precondition::VersionIs(version);
}

}  // namespace

std::string_view IsolationName(Isolation isolation) {
  return kNames[static_cast<std::size_t>(isolation)];
}

std::optional<Isolation> ParseIsolation(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Isolation>(found - kNames.begin());
}

Session::Session(std::shared_ptr<storage::Backend> backend, Isolation isolation, const SessionLimits& limits,
                 const Clock& clock)
    : backend_(std::move(backend)), isolation_(isolation), limits_(limits), clock_(clock) {}

Status Session::CheckRoom(const Operation& operation) const {
  const std::size_t most = std::min(limits_.max_operations, backend_->limits().max_operations / 4);
  if (operations_ >= most) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a transaction has at most {} operations (setting transactions.operations): commit it, or "
                             "roll it back and do less in one",
                             most));
  }
  if (bytes_ + BytesOf(operation) <= limits_.max_bytes) return {};
  return Error(ErrorCode::kResourceExhausted,
               fmt::format("a transaction holds at most {} bytes (setting transactions.bytes): commit it, or roll it "
                           "back and do less in one",
                           limits_.max_bytes));
}

Status Session::CheckFence(const Fence& fence, Deadline deadline) {
  const OperationResult found = storage::ExecuteOne(*backend_, Operation::Get(fence.key), deadline);
  if (!found.status.ok() && found.status.error().code() != ErrorCode::kNotFound) return found.status;
  return storage::CheckPrecondition(Precondition::NotFenced(fence.token), found.entry.get());
}

Result<EntryPtr> Session::Committed(const std::string& key, Deadline deadline) {
  if (const auto first = read_.find(key); first != read_.end()) return first->second;
  OperationResult found = storage::ExecuteOne(*backend_, Operation::Get(key), deadline);
  if (!found.status.ok() && found.status.error().code() != ErrorCode::kNotFound) return found.status.error();
  if (isolation_ != Isolation::kReadCommitted) {
    read_.emplace(key, found.entry);
    bytes_ += key.size() + (found.entry ? found.entry->value.size() : 0);
  }
  if (isolation_ == Isolation::kSerializable) Pin(key, found.entry);
  return std::move(found.entry);
}

// The first one counts: when a later look saw another version, the commit has to fail.
void Session::Pin(const std::string& key, const EntryPtr& entry) {
  pinned_.emplace(key, entry ? entry->version : 0);
}

OperationResult Session::Execute(const Operation& operation, const std::optional<Fence>& fence, Deadline deadline) {
  if (Status room = CheckRoom(operation); !room.ok()) return Failed(std::move(room).error());
  if (fence) {
    if (Status current = CheckFence(*fence, deadline); !current.ok()) return Failed(std::move(current).error());
  }
  const auto own = own_.find(operation.key);
  const bool is_own = own != own_.end();
  EntryPtr current;
  if (is_own) {
    current = own->second;
  } else {
    auto committed = Committed(operation.key, deadline);
    if (!committed.ok()) return Failed(std::move(committed).error());
    current = std::move(committed).value();
  }
  ++operations_;

  OperationResult result;
  const storage::Decision decision = storage::Decide(operation, current, 0, clock_.Now(), result);
  // What is not committed has no version; a client cannot have seen one that matches.
  if (result.status.ok() && operation.precondition.kind == Precondition::Kind::kVersion && current &&
      current->version == 0) {
    result.status = Error(ErrorCode::kVersionConflict,
                          "the key was written by this transaction, and has no version before the commit");
    return result;
  }
  if (!result.status.ok() || !IsWrite(operation.kind)) return result;
  if (!is_own && (isolation_ != Isolation::kReadCommitted || DecidedByContent(operation))) {
    Pin(operation.key, current);
  }
  result.expires_at.reset();

  // A delete of what is not there is kept too: in read_committed it may be there by then.
  Written written{operation, is_own ? std::optional(own->second) : std::nullopt, BytesOf(operation)};
  written.operation.precondition = Precondition::None();
  bytes_ += written.bytes;
  if (decision.change != storage::Change::kNone || operation.kind != OperationKind::kTouch) {
    own_[operation.key] = decision.change == storage::Change::kWrite ? decision.entry : nullptr;
  }
  written_.push_back(std::move(written));
  if (fence) fences_.push_back(*fence);
  return result;
}

Status Session::Savepoint(std::string name) {
  if (name.size() > limits_.max_savepoint_name_bytes) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("name is {} bytes, the limit is {}: choose a shorter one",
                                                          name.size(), limits_.max_savepoint_name_bytes));
  }
  if (savepoints_.size() >= limits_.max_savepoints) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a transaction has at most {} savepoints (setting transactions.savepoints): roll back to "
                             "one of them, or commit",
                             limits_.max_savepoints));
  }
  savepoints_.push_back({std::move(name), written_.size(), fences_.size()});
  return {};
}

Status Session::RollbackTo(std::string_view name) {
  auto found = savepoints_.rbegin();
  if (!name.empty()) {
    found = std::find_if(savepoints_.rbegin(), savepoints_.rend(), [&](const Mark& mark) { return mark.name == name; });
  }
  if (found == savepoints_.rend()) {
    return Error(ErrorCode::kFailedPrecondition, name.empty()
                                                     ? std::string("the transaction has no savepoint: set one first")
                                                     : fmt::format("the transaction has no savepoint \"{}\"", name));
  }
  savepoints_.erase(found.base(), savepoints_.end());
  const Mark& mark = savepoints_.back();
  while (written_.size() > mark.written) {
    Written& last = written_.back();
    if (last.hidden) {
      own_[last.operation.key] = std::move(*last.hidden);
    } else {
      own_.erase(last.operation.key);
    }
    bytes_ -= last.bytes;
    written_.pop_back();
  }
  fences_.resize(mark.fences);
  return {};
}

storage::Transaction Session::Plan(const std::string& record, std::chrono::microseconds record_ttl) const {
  storage::Transaction plan;
  plan.conditions.reserve(pinned_.size());
  for (const auto& [key, version] : pinned_) plan.conditions.push_back({key, Unchanged(version)});
  // In front of the writes: one that fails ends the transaction, and is told apart from a conflict.
  std::map<std::string_view, std::uint64_t> oldest;
  for (const Fence& fence : fences_) {
    const auto [row, added] = oldest.emplace(fence.key, fence.token);
    if (!added) row->second = std::min(row->second, fence.token);
  }
  for (const auto& [key, token] : oldest) {
    Operation look = Operation::Get(std::string(key));
    look.precondition = Precondition::NotFenced(token);
    plan.then.push_back(std::move(look));
  }
  // The writes themselves and not what they came to, so that expiries begin now.
  for (const Written& written : written_) plan.then.push_back(written.operation);
  if (!record.empty() && !written_.empty()) {
    plan.then.push_back(Operation::Put(record, "committed", {}, storage::Expiry::After(record_ttl)));
  }
  return plan;
}

Result<std::vector<WrittenKey>> Session::Commit(const std::string& record, std::chrono::microseconds record_ttl,
                                                Deadline deadline) {
  const storage::Transaction plan = Plan(record, record_ttl);
  if (plan.conditions.empty() && plan.then.empty()) return std::vector<WrittenKey>();
  HOLDFAST_ASSIGN_OR_RETURN(const storage::TransactionResult result, backend_->Transact(plan, deadline));
  if (!result.conditions_held) {
    return Error(ErrorCode::kVersionConflict,
                 "a key that this transaction read or wrote was changed by somebody else; nothing of it took effect");
  }
  if (!result.applied) {
    for (const OperationResult& one : result.results) {
      if (one.status.ok() || one.status.error().code() == ErrorCode::kCancelled) continue;
      if (one.status.error().code() == ErrorCode::kNotFound) continue;  // the look at a fence that was never issued
      return one.status.error();
    }
    return Error(ErrorCode::kInternal, "the commit was not applied, and no operation says why");
  }
  std::map<std::string, WrittenKey> last;
  for (std::size_t i = 0; i < plan.then.size(); ++i) {
    const Operation& operation = plan.then[i];
    if (!IsWrite(operation.kind) || operation.key == record) continue;
    const bool gone = operation.kind == OperationKind::kDelete || operation.kind == OperationKind::kTake;
    const OperationResult& one = result.results[i];
    const auto own = own_.find(operation.key);
    last[operation.key] = {operation.key,
                           gone ? 0 : one.version,
                           gone ? std::nullopt : one.expires_at,
                           operation.kind,
                           one.existed,
                           own != own_.end() ? own->second : nullptr};
  }
  std::vector<WrittenKey> keys;
  keys.reserve(last.size());
  for (auto& [key, written] : last) keys.push_back(std::move(written));
  return keys;
}

}  // namespace holdfast::transactions
