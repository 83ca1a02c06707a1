#include "service/transactions/transaction_manager.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>

#include "base/time/duration.h"

namespace holdfast::transactions {
namespace {

constexpr std::size_t kIdDigits = 32;

std::string InRoom(storage::Room room, std::string_view key) {
  std::string row(1, static_cast<char>(room));
  row.append(key);
  return row;
}

std::string RecordOf(std::string_view id) {
  return InRoom(storage::Room::kReplays, "transaction/").append(id);
}

Result<std::string> RandomId() {
  std::array<unsigned char, kIdDigits / 2> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return Error(ErrorCode::kUnavailable, "the system gave no random bytes for an id");
  }
  std::string id;
  for (const unsigned char byte : bytes) id.append(fmt::format("{:02x}", byte));
  return id;
}

std::string TenantOf(std::string_view name) {
  return std::string(name.substr(0, name.size() - kIdDigits));
}

bool IsId(std::string_view id) {
  return id.size() == kIdDigits && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// In the order of TransactionManager's End.
std::array<metrics::Counter*, 6> EndCounters(metrics::Registry& registry) {
  std::array<metrics::Counter*, 6> counters{};
  std::size_t next = 0;
  for (const char* result : {"committed", "rolled_back", "timed_out", "conflict", "fenced", "outcome_unknown"}) {
    counters[next++] = &registry.GetCounter("holdfast_transactions_total", "Interactive transactions that ended.",
                                            {{"result", result}});
  }
  return counters;
}

Error NoSuchTransaction() {
  return {ErrorCode::kNotFound,
          "there is no open transaction of that id for this store and namespace; it may have ended long ago, or been "
          "rolled back by a restart of the service: begin a new one"};
}

}  // namespace

TransactionManager::TransactionManager(const ManagerOptions& options, const Clock& clock, metrics::Registry& registry)
    : options_(options),
      clock_(clock),
      open_gauge_(registry.GetGauge("holdfast_transactions_open", "Open interactive transactions.")),
      ended_counters_(EndCounters(registry)),
      expiry_(std::chrono::seconds{1}, [this] { ExpireDue(); }) {}

Result<Begun> TransactionManager::Begin(const storage::TenantView& tenant, Isolation isolation,
                                        std::optional<std::chrono::microseconds> timeout) {
  const std::chrono::microseconds wanted = timeout.value_or(options_.default_timeout);
  if (wanted <= std::chrono::microseconds::zero() || wanted > options_.maximum_timeout) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("timeout: is not above zero and at most {} (setting transactions.maximum_timeout)",
                             FormatDuration(options_.maximum_timeout)));
  }
  HOLDFAST_ASSIGN_OR_RETURN(std::string id, RandomId());
  const std::string& owner = tenant.space.prefix();
  auto open =
      std::make_shared<Open>(Session(tenant.rooms, isolation, options_.session, clock_), clock_.Monotonic() + wanted);
  const Timestamp expires_at = clock_.Now() + wanted;
  std::lock_guard lock(mutex_);
  const auto mine = by_tenant_.find(owner);
  const bool tenant_full = mine != by_tenant_.end() && mine->second >= options_.max_open_per_tenant;
  if (tenant_full || open_.size() >= options_.max_open) {
    return Error(ErrorCode::kUnavailable,
                 tenant_full ? fmt::format("{} transactions of this namespace are open (setting "
                                           "transactions.open_per_namespace): commit or roll back some",
                                           options_.max_open_per_tenant)
                             : fmt::format("{} transactions are open (setting transactions.open): try again later",
                                           options_.max_open));
  }
  open_.emplace(owner + id, std::move(open));
  ++by_tenant_[owner];
  open_gauge_.Add(1);
  return Begun{std::move(id), expires_at};
}

Result<TransactionManager::Entered> TransactionManager::Enter(const std::string& name, Deadline deadline) {
  Entered entered;
  {
    std::lock_guard lock(mutex_);
    const auto found = open_.find(name);
    if (found == open_.end()) return WhyNotOpen(name);
    entered.open = found->second;
  }
  entered.lock = Locked(entered.open->mutex, std::defer_lock);
  if (!entered.lock.try_lock_until(deadline.WaitUntil())) {
    return Error(ErrorCode::kDeadlineExceeded,
                 "another request of this transaction is still running; nothing was attempted");
  }
  if (!entered.open->over && entered.open->ends <= clock_.Monotonic()) {
    Close(name, *entered.open, {End::kTimedOut, {}, {}});
  }
  if (entered.open->over) {
    std::lock_guard lock(mutex_);
    return WhyNotOpen(name);
  }
  return entered;
}

// mutex_ is held.
Error TransactionManager::WhyNotOpen(const std::string& name) const {
  const auto found = ended_.find(name);
  if (found == ended_.end()) return NoSuchTransaction();
  switch (found->second.how) {
    case End::kCommitted:
      return {ErrorCode::kNotFound, "the transaction has been committed: begin a new one"};
    case End::kRolledBack:
      return {ErrorCode::kNotFound, "the transaction has been rolled back: begin a new one"};
    case End::kTimedOut:
      return {ErrorCode::kNotFound,
              "the transaction reached its timeout and was rolled back: begin a new one, with a longer timeout"};
    case End::kConflict:
      return {ErrorCode::kVersionConflict, found->second.message};
    case End::kFenced:
      return {ErrorCode::kFenced, found->second.message};
    case End::kOutcomeUnknown:
      return {ErrorCode::kOutcomeUnknown, found->second.message};
  }
  return NoSuchTransaction();
}

storage::OperationResult TransactionManager::Execute(const storage::TenantView& tenant, std::string_view id,
                                                     storage::Operation operation, const std::optional<Fence>& fence,
                                                     Deadline deadline) {
  auto entered = Enter(std::string(tenant.space.prefix()).append(id), deadline);
  if (!entered.ok()) {
    storage::OperationResult result;
    result.status = std::move(entered).error();
    // How the transaction ended is no outcome of this operation, which was not attempted.
    const Error& why = result.status.error();
    if (why.code() != ErrorCode::kDeadlineExceeded && why.code() != ErrorCode::kNotFound) {
      result.status = Error(ErrorCode::kNotFound, why.message()).WithContext("the transaction is over");
    }
    return result;
  }
  // Looked at before, so the last one may go above it by what it reads or writes.
  if (held_bytes_.load(std::memory_order_relaxed) >= options_.max_total_bytes) {
    storage::OperationResult result;
    result.status = Error(ErrorCode::kUnavailable,
                          fmt::format("the open transactions hold {} bytes (setting transactions.total_bytes): commit "
                                      "or roll back some, or try again later",
                                      options_.max_total_bytes));
    return result;
  }
  operation.key = InRoom(storage::Room::kKeys, operation.key);
  storage::OperationResult result = entered->open->session.Execute(operation, fence, deadline);
  CountBytes(*entered->open, entered->open->session.bytes());
  return result;
}

// open.mutex is held.
void TransactionManager::CountBytes(Open& open, std::size_t now) {
  held_bytes_.fetch_add(now - open.counted, std::memory_order_relaxed);  // modulo 2^64: also for less
  open.counted = now;
}

Status TransactionManager::Savepoint(const storage::TenantView& tenant, std::string_view id, std::string name,
                                     Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const Entered entered, Enter(std::string(tenant.space.prefix()).append(id), deadline));
  return entered.open->session.Savepoint(std::move(name));
}

Status TransactionManager::RollbackTo(const storage::TenantView& tenant, std::string_view id, std::string_view name,
                                      Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const Entered entered, Enter(std::string(tenant.space.prefix()).append(id), deadline));
  Status done = entered.open->session.RollbackTo(name);
  CountBytes(*entered.open, entered.open->session.bytes());
  return done;
}

Status TransactionManager::Rollback(const storage::TenantView& tenant, std::string_view id, Deadline deadline) {
  const std::string name = std::string(tenant.space.prefix()).append(id);
  auto entered = Enter(name, deadline);
  if (entered.ok()) {
    Close(name, *entered->open, {End::kRolledBack, {}, {}});
    return {};
  }
  const auto ended = FindEnded(name);
  if (!ended || ended->how == End::kCommitted || ended->how == End::kOutcomeUnknown) return std::move(entered).error();
  return {};
}

Result<Committed> TransactionManager::Commit(const storage::TenantView& tenant, std::string_view id,
                                             Deadline deadline) {
  const std::string name = std::string(tenant.space.prefix()).append(id);
  auto entered = Enter(name, deadline);
  if (!entered.ok()) return RepeatCommit(tenant, name, id, entered.error(), deadline);
  Open& open = *entered->open;
  auto keys = open.session.Commit(RecordOf(id), options_.record_ttl, deadline);
  if (keys.ok()) {
    Committed committed;
    committed.keys = std::move(keys).value();
    for (WrittenKey& key : committed.keys) key.key.erase(0, 1);  // the room's letter
    Committed repeated = committed;
    repeated.repeated = true;
    for (WrittenKey& key : repeated.keys) key.entry.reset();
    Close(name, open, {End::kCommitted, {}, std::move(repeated)});
    return committed;
  }
  const Error& error = keys.error();
  if (error.code() == ErrorCode::kVersionConflict) Close(name, open, {End::kConflict, error.message(), {}});
  if (error.code() == ErrorCode::kFenced) Close(name, open, {End::kFenced, error.message(), {}});
  if (error.code() == ErrorCode::kOutcomeUnknown) Close(name, open, {End::kOutcomeUnknown, error.message(), {}});
  return std::move(keys).error();
}

Result<Committed> TransactionManager::RepeatCommit(const storage::TenantView& tenant, const std::string& name,
                                                   std::string_view id, const Error& not_open, Deadline deadline) {
  if (!IsId(id) || not_open.code() == ErrorCode::kDeadlineExceeded) return not_open;
  const auto ended = FindEnded(name);
  if (ended && ended->how == End::kCommitted) return ended->committed;
  if (ended && ended->how != End::kOutcomeUnknown) return not_open;
  const storage::OperationResult row =
      storage::ExecuteOne(*tenant.rooms, storage::Operation::Get(RecordOf(id)), deadline);
  if (row.status.ok()) return Committed{false, true, {}};
  // Without an answer it stays open whether an earlier commit took effect.
  if (row.status.error().code() != ErrorCode::kNotFound && !ended) return row.status.error();
  return not_open;
}

std::optional<TransactionManager::Ended> TransactionManager::FindEnded(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = ended_.find(name);
  if (found == ended_.end()) return std::nullopt;
  return found->second;
}

// open.mutex is held.
void TransactionManager::Close(const std::string& name, Open& open, Ended ended) {
  open.over = true;
  CountBytes(open, 0);
  std::lock_guard lock(mutex_);
  if (open_.erase(name) > 0) {
    const auto mine = by_tenant_.find(TenantOf(name));
    if (--mine->second == 0) by_tenant_.erase(mine);
    open_gauge_.Add(-1);
    ended_counters_[static_cast<std::size_t>(ended.how)]->Increment();
  }
  Remember(name, std::move(ended));
}

// mutex_ is held.
void TransactionManager::Remember(const std::string& name, Ended ended) {
  remembered_keys_ += ended.committed.keys.size();
  ended_.emplace(name, std::move(ended));
  ended_order_.push_back(name);
  while (ended_order_.size() > options_.max_remembered ||
         (remembered_keys_ > options_.max_remembered_keys && ended_order_.size() > 1)) {
    const auto oldest = ended_.find(ended_order_.front());
    remembered_keys_ -= oldest->second.committed.keys.size();
    ended_.erase(oldest);
    ended_order_.pop_front();
  }
}

void TransactionManager::ExpireDue() {
  const MonotonicTime now = clock_.Monotonic();
  std::vector<std::pair<std::string, OpenPtr>> due;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [name, open] : open_) {
      if (open->ends <= now) due.emplace_back(name, open);
    }
  }
  for (const auto& [name, open] : due) {
    // A request that is running ends it itself: a commit under way is not cut off.
    const Locked lock(open->mutex, std::try_to_lock);
    if (lock.owns_lock() && !open->over) Close(name, *open, {End::kTimedOut, {}, {}});
  }
}

std::size_t TransactionManager::open() const {
  std::lock_guard lock(mutex_);
  return open_.size();
}

}  // namespace holdfast::transactions
