#include "service/composition/failover_backend.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/composition/admitted.h"
#include "service/composition/failover_rows.h"
#include "service/storage/listener_fanout.h"
#include "service/storage/snapshot.h"

namespace holdfast::composition {

using storage::Operation;
using storage::OperationResult;

FailoverBackend::FailoverBackend(std::shared_ptr<storage::Backend> primary, std::shared_ptr<storage::Backend> secondary,
                                 FailoverOptions options, const Clock& clock)
    : ForwardingBackend(std::move(primary)),
      options_(std::move(options)),
      clock_(clock),
      copy_(std::move(secondary)),
      journal_(copy_, options_.journal, clock),
      copier_(backend(), copy_, options_.copier, clock),
      since_(clock.Now()),
      hysteresis_(options_.failures, options_.successes),
      probe_(backend(), options_.probe_timeout) {}

void FailoverBackend::Start() {
  // A comparison would replace what the journal has for the primary.
  copier_.Pause();
  copier_.Start();
  OpenJournal();
  watcher_ = std::thread([this] { Watch(); });
}

void FailoverBackend::Stop() {
  stopping_.store(true, std::memory_order_release);
  {
    std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
  copier_.Stop();
  probe_.Stop();
  if (watcher_.joinable()) watcher_.join();
}

Status FailoverBackend::Close() {
  Stop();
  Status primary = backend().Close();
  Status secondary = copy_.backend().Close();
  return primary.ok() ? std::move(secondary) : std::move(primary);
}

storage::Capabilities FailoverBackend::capabilities() const {
  storage::Capabilities capabilities = backend().capabilities();
  const storage::Capabilities secondary = copy_.backend().capabilities();
  capabilities.inline_reads = capabilities.inline_reads && secondary.inline_reads;
  capabilities.inline_writes = capabilities.inline_writes && secondary.inline_writes;
  capabilities.snapshots = storage::SnapshotConsistency::kPerEntry;
  if (options_.mode == FailoverMode::kReadWrite) {
    capabilities.durable_ack = capabilities.durable_ack && secondary.durable_ack;
  }
  return capabilities;
}

Result<FailoverBackend::Serving> FailoverBackend::Served(const Deadline& deadline) {
  const Serving now = serving_.load(std::memory_order_acquire);
  if (now != Serving::kRecovering) return now;
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline.WaitUntil(), [this] { return serving_ != Serving::kRecovering || stopping(); });
  if (serving_ != Serving::kRecovering) return serving_.load();
  return Error(ErrorCode::kUnavailable, "the store has writes of before its start to replay to its primary backend");
}

void FailoverBackend::Execute(std::span<const Operation> operations, std::span<OperationResult> results,
                              Deadline deadline) {
  const Result<Serving> served = Served(deadline);
  if (!served.ok()) return storage::FailAll(results, served.error());
  if (*served == Serving::kPrimary) return backend().Execute(operations, results, Bounded(deadline));
  const Status valid = storage::ValidateBatch(operations.size(), limits());
  if (!valid.ok()) return storage::FailAll(results, valid.error());
  // Runs of reads and of writes: what stands in front of an operation has taken effect before it.
  for (std::size_t at = 0; at < operations.size();) {
    const bool writes = storage::IsWrite(operations[at].kind);
    std::size_t end = at + 1;
    while (end < operations.size() && storage::IsWrite(operations[end].kind) == writes) ++end;
    const auto some = operations.subspan(at, end - at);
    const auto answers = results.subspan(at, end - at);
    if (writes) {
      WriteSecondary(some, answers, deadline);
    } else {
      ReadCopies(some, answers, deadline);
    }
    at = end;
  }
}

namespace {}  // namespace

void FailoverBackend::ReadCopies(std::span<const Operation> gets, std::span<OperationResult> results,
                                 const Deadline& deadline) {
  RunAdmitted(
      gets, results,
      [this](const Operation& get) {
        if (IsPrimaryOnly(get.key)) return Status(Refused("locks and recorded answers are not read from it"));
        return storage::Validate(get, limits());
      },
      [&](const auto& admitted, auto& answers) { copy_.Get(admitted, answers, deadline); });
}

void FailoverBackend::WriteSecondary(std::span<const Operation> operations, std::span<OperationResult> results,
                                     const Deadline& deadline) {
  const std::shared_lock lock(writes_);
  if (options_.mode == FailoverMode::kReadOnly || serving_ != Serving::kSecondary) {
    refused_writes_.fetch_add(operations.size(), std::memory_order_relaxed);
    return storage::FailAll(results,
                            Refused(serving_ == Serving::kSecondary ? "it takes no writes (failover_mode read_only)"
                                                                    : "writes wait until those it took are replayed"));
  }
  RunAdmitted(
      operations, results,
      [this](const Operation& write) -> Status {
        HOLDFAST_RETURN_IF_ERROR(storage::Validate(write, limits()));
        return FailoverJournal::MayTake(write);
      },
      [&](const auto& admitted, auto& answers) { journal_.Take(admitted, answers, deadline); });
  const auto refused = std::count_if(results.begin(), results.end(), [](const OperationResult& result) {
    return !result.status.ok() && result.status.error().code() == ErrorCode::kUnavailable;
  });
  refused_writes_.fetch_add(static_cast<std::uint64_t>(refused), std::memory_order_relaxed);
}

Error FailoverBackend::Refused(std::string_view what) {
  const storage::FailoverStatus now = status();
  return {ErrorCode::kUnavailable,
          fmt::format("backend {} has not taken writes ({}), and the store is served from backend {}: {}; nothing was "
                      "done, try again when the primary is back",
                      options_.primary, now.reason, options_.secondary, what)};
}

Result<storage::TransactionResult> FailoverBackend::Transact(const storage::Transaction& transaction,
                                                             Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const Serving served, Served(deadline));
  if (served == Serving::kPrimary) return backend().Transact(transaction, Bounded(deadline));
  refused_writes_.fetch_add(1, std::memory_order_relaxed);
  return Refused("it takes no transactions");
}

Result<storage::ScanPage> FailoverBackend::Scan(const storage::ScanRequest& request, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const Serving served, Served(deadline));
  if (served == Serving::kPrimary) return backend().Scan(request, Bounded(deadline));
  return copy_.Scan(request, deadline);
}

Result<std::unique_ptr<storage::Snapshot>> FailoverBackend::OpenSnapshot(const storage::KeyRange& range,
                                                                         Deadline /*deadline*/) {
  return storage::MakeScanSnapshot(*this, range);
}

Result<std::uint64_t> FailoverBackend::Count(const storage::KeyRange& range, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const Serving served, Served(deadline));
  if (served == Serving::kPrimary) return backend().Count(range, deadline);
  return copy_.Count(range, deadline);
}

Result<std::uint64_t> FailoverBackend::DeleteRange(const storage::KeyRange& range, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const Serving served, Served(deadline));
  if (served == Serving::kPrimary) return backend().DeleteRange(range, deadline);
  refused_writes_.fetch_add(1, std::memory_order_relaxed);
  return Refused("it takes no deletes of a range");
}

void FailoverBackend::SetChangeListener(std::shared_ptr<storage::ChangeListener> listener) {
  std::vector<std::shared_ptr<storage::ChangeListener>> listeners{copier_.listener()};
  if (listener) listeners.push_back(std::move(listener));
  backend().SetChangeListener(std::make_shared<storage::ListenerFanout>(std::move(listeners)));
}

storage::FailoverStatus FailoverBackend::status() const {
  storage::FailoverStatus status;
  status.secondary = options_.secondary;
  status.mode = options_.mode == FailoverMode::kReadOnly ? "read_only" : "read_write";
  {
    std::lock_guard lock(mutex_);
    status.since = since_;
    status.reason = reason_;
    const Serving serving = serving_;
    status.serving = serving == Serving::kPrimary     ? "primary"
                     : serving == Serving::kSecondary ? "secondary"
                                                      : "replaying";
  }
  status.copy_complete = copier_.complete();
  status.copy_lag = copier_.Lag();
  status.pending_keys = copier_.waiting();
  status.comparing = copier_.comparing();
  status.copied = copier_.copied();
  status.comparisons = copier_.comparisons();
  status.journal_entries = journal_.entries();
  status.replayed = journal_.replayed();
  status.conflicts = journal_.conflicts();
  status.refused_writes = refused_writes_.load(std::memory_order_relaxed);
  status.switches = switches_.load(std::memory_order_relaxed);
  status.returns = returns_.load(std::memory_order_relaxed);
  return status;
}

Result<storage::FailoverConflicts> FailoverBackend::Conflicts(const storage::KeyRange& keys, std::size_t most,
                                                              Deadline deadline) const {
  return journal_.Conflicts(keys, most, deadline);
}

}  // namespace holdfast::composition
