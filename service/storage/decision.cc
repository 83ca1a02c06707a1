#include "service/storage/decision.h"

#include <fmt/format.h>

#include <charconv>

namespace holdfast::storage {
namespace {

std::optional<Timestamp> ExpiresAt(const Expiry& expiry, const Entry* current, Timestamp now) {
  switch (expiry.kind) {
    case Expiry::Kind::kNever:
      return std::nullopt;
    case Expiry::Kind::kKeep:
      return current != nullptr ? current->expires_at : std::nullopt;
    case Expiry::Kind::kAfter:
      return now + expiry.after;
    case Expiry::Kind::kAt:
      return expiry.at;
  }
  return std::nullopt;
}

// Only what an increment writes itself is read back ("12", "-3"; no "+1", "007", " 1"), so that no value changes its
// spelling under a client that did not write a counter.
std::optional<std::int64_t> ParseCounter(std::string_view text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || parsed != end || fmt::format_int(number).size() != text.size()) return std::nullopt;
  return number;
}

Result<std::int64_t> Sum(const Entry* current, std::int64_t by) {
  std::int64_t number = 0;
  if (current != nullptr) {
    const std::optional<std::int64_t> counter = ParseCounter(current->value);
    if (!counter) {
      return Error(ErrorCode::kFailedPrecondition,
                   "the value is not a decimal 64-bit integer: put one before incrementing it");
    }
    number = *counter;
  }
  if (__builtin_add_overflow(number, by, &number)) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("incrementing by {} would leave the range of a 64-bit integer", by));
  }
  return number;
}

Error NotFound() {
  return {ErrorCode::kNotFound, "no such key"};
}

Decision WriteEntry(std::shared_ptr<Entry> entry, const Operation& operation, const EntryPtr& current, Version version,
                    Timestamp now, OperationResult& result) {
  entry->version = version;
  entry->created_at = current ? current->created_at : now;
  entry->updated_at = now;
  entry->expires_at = ExpiresAt(operation.expiry, current.get(), now);
  result.version = version;
  result.expires_at = entry->expires_at;
  return {Change::kWrite, std::move(entry)};
}

Decision DecidePut(const Operation& operation, const EntryPtr& current, Version version, Timestamp now,
                   OperationResult& result) {
  if (operation.decided != nullptr) {
    result.version = operation.decided->version;
    result.expires_at = operation.decided->expires_at;
    return {Change::kWrite, operation.decided};
  }
  auto entry = std::make_shared<Entry>();
  entry->value = operation.value;
  entry->content_type = operation.content_type;
  entry->metadata = operation.metadata;
  entry->tags = operation.tags;
  return WriteEntry(std::move(entry), operation, current, version, now, result);
}

Decision DecideIncrement(const Operation& operation, const EntryPtr& current, Version version, Timestamp now,
                         OperationResult& result) {
  Result<std::int64_t> sum = Sum(current.get(), operation.by);
  if (!sum.ok()) {
    result.status = std::move(sum).error();
    return {};
  }
  result.number = *sum;
  auto entry = current ? std::make_shared<Entry>(*current) : std::make_shared<Entry>();
  entry->value = fmt::format_int(*sum).str();
  return WriteEntry(std::move(entry), operation, current, version, now, result);
}

Decision DecideTouch(const Operation& operation, const EntryPtr& current, Timestamp now, OperationResult& result) {
  const std::optional<Timestamp> expires_at = ExpiresAt(operation.expiry, current.get(), now);
  result.expires_at = expires_at;
  if (expires_at == current->expires_at) return {};
  auto entry = std::make_shared<Entry>(*current);
  entry->expires_at = expires_at;
  return {Change::kWrite, std::move(entry)};
}

}  // namespace

Status CheckPrecondition(const Precondition& precondition, const Entry* current) {
  switch (precondition.kind) {
    case Precondition::Kind::kNone:
      return {};
    case Precondition::Kind::kAbsent:
      if (current == nullptr) return {};
      return Error(ErrorCode::kAlreadyExists, "the key exists already");
    case Precondition::Kind::kPresent:
      if (current != nullptr) return {};
      return Error(ErrorCode::kVersionConflict, "the key does not exist");
    case Precondition::Kind::kVersion:
      if (current != nullptr && current->version == precondition.version) return {};
      return Error(ErrorCode::kVersionConflict,
                   fmt::format("version {} was expected, the key {}", precondition.version,
                               current != nullptr ? fmt::format("has {}", current->version) : "does not exist"));
    case Precondition::Kind::kValue:
      if (current != nullptr && current->value == precondition.value) return {};
      return Error(ErrorCode::kVersionConflict,
                   current != nullptr ? "the key holds another value" : "the key does not exist");
    case Precondition::Kind::kNotFenced: {
      if (current == nullptr) return {};
      const std::string& text = current->value;
      std::uint64_t newest = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), newest);
      const bool is_number = error == std::errc() && end == text.data() + text.size();
      if (is_number && newest <= precondition.token) return {};
      return Error(ErrorCode::kFenced, fmt::format("token {} is outdated, token {} was issued since",
                                                   precondition.token, is_number ? text : "unknown"));
    }
  }
  return {};
}

namespace {

// What every result says; false when the precondition ends it there.
bool Begin(const Operation& operation, const Entry* current, OperationResult& result) {
  result = OperationResult{};
  result.existed = current != nullptr;
  result.version = current != nullptr ? current->version : 0;
  if (operation.precondition.kind == Precondition::Kind::kNone) return true;
  result.status = CheckPrecondition(operation.precondition, current);
  return result.status.ok();
}

}  // namespace

void DecideGet(const Operation& operation, EntryPtr current, OperationResult& result) {
  if (!Begin(operation, current.get(), result)) return;
  if (current) {
    result.entry = std::move(current);
  } else {
    result.status = NotFound();
  }
}

Decision Decide(const Operation& operation, const EntryPtr& current, Version version, Timestamp now,
                OperationResult& result) {
  if (operation.kind == OperationKind::kGet) {
    DecideGet(operation, current, result);
    return {};
  }
  if (!Begin(operation, current.get(), result)) return {};
  const bool needs_entry = operation.kind == OperationKind::kTake || operation.kind == OperationKind::kTouch;
  if (needs_entry && !current) {
    result.status = NotFound();
    return {};
  }
  switch (operation.kind) {
    case OperationKind::kGet:
      return {};
    case OperationKind::kTake:
      result.entry = current;
      return {Change::kErase, nullptr};
    case OperationKind::kDelete:
      return {current ? Change::kErase : Change::kNone, nullptr};
    case OperationKind::kTouch:
      return DecideTouch(operation, current, now, result);
    case OperationKind::kPut:
      return DecidePut(operation, current, version, now, result);
    case OperationKind::kIncrement:
      return DecideIncrement(operation, current, version, now, result);
  }
  return {};
}

namespace {

// The keys a transaction has looked at, as its own writes have left them.
class Overlay {
 public:
  explicit Overlay(const std::function<Result<EntryPtr>(const std::string& key)>& read) : read_(read) {}

  Result<EntryPtr> Find(const std::string& key) {
    if (const auto found = entries_.find(key); found != entries_.end()) return found->second;
    HOLDFAST_ASSIGN_OR_RETURN(EntryPtr entry, read_(key));
    entries_.emplace(key, entry);
    return entry;
  }

  void Apply(const std::string& key, const Decision& decision) {
    if (decision.change == Change::kNone) return;
    entries_[key] = decision.entry;
    changes_[key] = decision.entry;
  }

  std::map<std::string, EntryPtr, std::less<>> TakeChanges() { return std::move(changes_); }

 private:
  const std::function<Result<EntryPtr>(const std::string& key)>& read_;
  std::map<std::string, EntryPtr, std::less<>> entries_;
  std::map<std::string, EntryPtr, std::less<>> changes_;
};

bool Failed(const Operation& operation, const OperationResult& result) {
  if (result.status.ok()) return false;
  return operation.kind != OperationKind::kGet || result.status.error().code() != ErrorCode::kNotFound;
}

void CancelAllBut(std::size_t failed, std::vector<OperationResult>& results) {
  const Error cancelled(ErrorCode::kCancelled, fmt::format("not applied, because operation {} failed", failed));
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (i == failed) continue;
    results[i] = OperationResult{};
    results[i].status = cancelled;
  }
}

}  // namespace

Result<TransactionDecision> DecideTransaction(const Transaction& transaction,
                                              const std::function<Result<EntryPtr>(const std::string& key)>& read,
                                              const std::function<Version()>& next_version, Timestamp now) {
  TransactionDecision decision;
  Overlay overlay(read);
  decision.result.conditions_held = true;
  for (const Condition& condition : transaction.conditions) {
    HOLDFAST_ASSIGN_OR_RETURN(const EntryPtr current, overlay.Find(condition.key));
    if (!CheckPrecondition(condition.precondition, current.get()).ok()) decision.result.conditions_held = false;
  }

  const std::vector<Operation>& branch = decision.result.conditions_held ? transaction.then : transaction.otherwise;
  decision.result.results.resize(branch.size());
  for (std::size_t i = 0; i < branch.size(); ++i) {
    const Operation& operation = branch[i];
    HOLDFAST_ASSIGN_OR_RETURN(const EntryPtr current, overlay.Find(operation.key));
    const Version version = IsWrite(operation.kind) ? next_version() : 0;
    overlay.Apply(operation.key, Decide(operation, current, version, now, decision.result.results[i]));
    if (Failed(operation, decision.result.results[i])) {
      CancelAllBut(i, decision.result.results);
      return decision;
    }
  }
  decision.result.applied = true;
  decision.changes = overlay.TakeChanges();
  return decision;
}

}  // namespace holdfast::storage
