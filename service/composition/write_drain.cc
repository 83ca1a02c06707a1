#include "service/composition/write_drain.h"

#include <algorithm>

#include "service/composition/replay.h"
#include "service/composition/secondary_copy.h"

namespace holdfast::composition {

using storage::EntryPtr;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

namespace {

constexpr std::chrono::seconds kIdle{1};  // a look without being asked

// It would be refused the next time as well.
bool NeverTaken(const Status& status) {
  return IsCode(status, ErrorCode::kInvalidArgument) || IsCode(status, ErrorCode::kNotSupported);
}

// What was known when it was taken has expired since: gone there as well, unless somebody wrote it anew.
bool BaseExpired(const QueuedWrite& write, Timestamp now) {
  return write.row.write.base_expires_at && *write.row.write.base_expires_at <= now;
}

SettledWrite Lost(const QueuedWrite& write) {
  return {write.number, /*conflict=*/true, 0, std::nullopt};
}

// What was to be written stands there.
SettledWrite Done(const QueuedWrite& write, const EntryPtr& there) {
  if (there == nullptr) return {write.number, false, 0, std::nullopt};
  return {write.number, false, there->version, there->expires_at};
}

}  // namespace

WriteDrain::WriteDrain(WriteQueue& queue, storage::Backend& record, bool exact, DrainOptions options, Settled settled,
                       const Clock& clock)
    : queue_(queue),
      record_(record),
      exact_(exact),
      options_(std::move(options)),
      settled_(std::move(settled)),
      clock_(clock),
      backoff_({options_.retry_min, options_.retry_max, 1.0}) {}

void WriteDrain::Start() {
  thread_ = std::thread([this] { Run(); });
}

void WriteDrain::Stop(Deadline deadline) {
  if (!thread_.joinable()) return;
  if (!deadline.Expired()) {
    queue_.Hasten();
    // What cannot be brought in time stays where it is.
    if (!away()) static_cast<void>(queue_.AwaitDrained(storage::KeyRange::All(), deadline));
  }
  {
    const std::lock_guard lock(mutex_);
    stopping_.store(true, std::memory_order_release);
  }
  wake_.notify_all();
  queue_.Wake();
  thread_.join();
}

std::string WriteDrain::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

void WriteDrain::Note(const Status& status) {
  const bool away = !status.ok();
  if (away) retries_.fetch_add(1, std::memory_order_relaxed);
  std::string reason = away ? status.error().ToString() : "";
  {
    const std::lock_guard lock(mutex_);
    reason_ = reason;
  }
  if (away_.exchange(away, std::memory_order_acq_rel) != away && options_.on_change) options_.on_change(away, reason);
}

void WriteDrain::Run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    const std::vector<QueuedWrite> writes =
        queue_.Next(options_.batch_entries, options_.batch_bytes, std::chrono::steady_clock::now() + kIdle);
    if (writes.empty()) continue;
    const Status brought = Bring(writes);
    Note(brought);
    // One that is not taken while others are waits by itself; when none is, everything does.
    const auto now = std::chrono::steady_clock::now();
    queue_.Stay(writes, brought.ok() ? now + options_.retry_min : now);
    if (brought.ok()) {
      backoff_.Reset();
    } else {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, backoff_.Next(), [this] { return stopping_.load(std::memory_order_acquire); });
    }
  }
}

Result<std::vector<WriteDrain::Plan>> WriteDrain::PlanOf(const std::vector<QueuedWrite>& writes) const {
  std::vector<Operation> unknown;
  for (const QueuedWrite& write : writes) {
    // Nothing is known of what one follows that an earlier process brought.
    if (write.row.base != QueuedRow::Base::kKnown) unknown.push_back(Operation::Get(write.key));
  }
  std::vector<EntryPtr> there;
  if (!unknown.empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(there, ReadThere(record_, unknown, Patience()));
  }
  const Timestamp now = clock_.Now();
  std::vector<Plan> plans;
  plans.reserve(writes.size());
  std::size_t read = 0;
  for (const QueuedWrite& write : writes) {
    storage::Version base = BaseExpired(write, now) ? 0 : write.row.write.base;
    std::optional<SettledWrite> settled;
    if (write.row.base != QueuedRow::Base::kKnown) {
      const EntryPtr& current = there[read++];
      base = current ? current->version : 0;
      const bool same = SameContent(current, write.row.write.entry);
      if (same) settled = Done(write, current);
      if (!same && current && current->updated_at >= write.row.taken_at) settled = Lost(write);
    }
    Plan plan{
        WriteOf(write.key, write.row.write.entry, base == 0 ? Precondition::Absent() : Precondition::VersionIs(base)),
        settled};
    if (exact_) plan.operation.decided = write.row.write.entry;
    plans.push_back(std::move(plan));
  }
  return plans;
}

Result<std::vector<SettledWrite>> WriteDrain::Judge(const std::vector<QueuedWrite>& writes,
                                                    const std::vector<Plan>& plans, const Results& results) const {
  std::vector<Operation> doubtful;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (WasRefused(results[i].status)) doubtful.push_back(plans[i].operation);
  }
  std::vector<EntryPtr> there;
  if (!doubtful.empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(there, ReadThere(record_, doubtful, Patience()));
  }
  const Timestamp now = clock_.Now();
  std::vector<SettledWrite> settled;
  std::size_t read = 0;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    const QueuedWrite& write = writes[i];
    const bool erased = write.row.write.entry == nullptr;
    if (plans[i].settled) {
      settled.push_back(*plans[i].settled);
    } else if (NeverTaken(results[i].status)) {
      settled.push_back(Lost(write));
    } else if (results[i].status.ok()) {
      settled.push_back({write.number, false, erased ? 0 : results[i].version, results[i].expires_at});
    } else if (WasRefused(results[i].status)) {
      const EntryPtr& current = there[read++];
      const bool done = SameContent(current, write.row.write.entry);
      // Looked at anew the next time: nothing is known, or it has expired meanwhile.
      const bool again = write.row.base != QueuedRow::Base::kKnown || (current == nullptr && BaseExpired(write, now));
      if (!done && again) continue;
      settled.push_back(done ? Done(write, current) : Lost(write));
    }
  }
  return settled;
}

Status WriteDrain::Bring(const std::vector<QueuedWrite>& writes) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<Plan> plans, PlanOf(writes));
  std::vector<Operation> operations;
  for (const Plan& plan : plans) {
    if (!plan.settled) operations.push_back(plan.operation);
  }
  std::vector<OperationResult> answers(operations.size());
  if (!operations.empty()) record_.Execute(operations, answers, Patience());
  Results results(plans.size());
  std::size_t answered = 0;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (!plans[i].settled) results[i] = std::move(answers[answered++]);
  }
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<SettledWrite> settled, Judge(writes, plans, results));
  for (const SettledWrite& done : settled) {
    const auto write =
        std::find_if(writes.begin(), writes.end(), [&](const QueuedWrite& one) { return one.number == done.number; });
    if (!done.conflict) settled_(*write, done.version);
  }
  HOLDFAST_RETURN_IF_ERROR(queue_.Settle(writes, settled, Patience()).WithContext("what has left the queue of writes"));
  return settled.empty() ? FirstError(results) : Status();
}

}  // namespace holdfast::composition
