#include "service/composition/copier.h"

#include <algorithm>
#include <map>

#include "service/composition/failover_rows.h"

namespace holdfast::composition {

using storage::EntryPtr;
using storage::Operation;
using storage::OperationResult;

namespace {

constexpr std::size_t kCopiesAtOnce = 256;  // of one write, and of one page of a comparison

bool SameState(const storage::Entry& left, const storage::Entry& right) {
  return left.version == right.version && left.expires_at == right.expires_at;
}

// By key; null: a row that cannot be read.
using Found = std::map<std::string, EntryPtr, std::less<>>;

Result<Found> CopiesIn(storage::Backend& secondary, const storage::KeyRange& keys, Deadline deadline) {
  Found found;
  storage::ScanRequest request;
  request.range = FailoverRange(FailoverRow::kCopy, keys);
  request.limit = kCopiesAtOnce;
  for (bool complete = false; !complete;) {
    HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, secondary.Scan(request, deadline));
    for (const storage::KeyedEntry& row : page.entries) {
      if (auto key = KeyOfRow(FailoverRow::kCopy, row.key)) {
        found.emplace(*std::move(key), DecodeFailoverCopy(row.entry->value));
      }
    }
    complete = page.complete || page.entries.empty();
    if (!complete) request.after = page.entries.back().key;
  }
  return found;
}

}  // namespace

class Copier::Listener final : public storage::ChangeListener {
 public:
  Listener(std::shared_ptr<ChangeQueue> queue, storage::KeyRange range)
      : queue_(std::move(queue)), range_(std::move(range)) {}

  void OnChange(std::string_view key, const EntryPtr& /*before*/, const EntryPtr& after,
                storage::ChangeCause /*cause*/) noexcept override {
    if (range_.Contains(key) && !IsPrimaryOnly(key)) queue_->Push(key, after);
  }
  void OnMissed() noexcept override { queue_->Miss(); }

 private:
  const std::shared_ptr<ChangeQueue> queue_;
  const storage::KeyRange range_;
};

Copier::Copier(storage::Backend& primary, const SecondaryCopy& copy, const CopierOptions& options, const Clock& clock)
    : primary_(primary),
      copy_(copy),
      options_(options),
      clock_(clock),
      queue_(std::make_shared<ChangeQueue>(options.queue)),
      listener_(std::make_shared<Listener>(queue_, options.range)) {
  queue_->Miss();
}

void Copier::Start() {
  asking_.emplace(options_.ask_interval, [this] { Ask(); });
  thread_ = std::thread([this] { Loop(); });
}

std::shared_ptr<storage::ChangeListener> Copier::listener() const {
  return listener_;
}

std::optional<std::chrono::microseconds> Copier::Lag() const {
  const auto written = queue_->written_up_to();
  if (!complete() || !written) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::microseconds>(clock_.Monotonic() - *written);
}

void Copier::Ask() {
  const MonotonicTime asked = clock_.Monotonic();
  if (primary_.AwaitListener()) queue_->Mark(asked);
}

void Copier::Loop() {
  while (queue_->AwaitWork()) {
    Status status;
    if (queue_->TakeMissed()) {
      const MonotonicTime began = clock_.Monotonic();
      status = Compare();
      // Its scan has seen what was there when it began.
      if (status.ok()) queue_->Mark(began);
      queue_->Compared(status.ok());
      if (status.ok()) complete_.store(true, std::memory_order_release);
    } else {
      status = WriteWaiting();
    }
    if (!status.ok() && !AwaitRetry()) return;
  }
}

Status Copier::WriteWaiting() {
  const Copies copies = queue_->Take(kCopiesAtOnce);
  Status written = Write(copies);
  // Some may be there and some not, and the queue has newer ones by now: the comparison finds out.
  if (!written.ok()) queue_->Miss();
  queue_->Done();
  return written;
}

Status Copier::Write(const Copies& copies) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !paused_ || stopping_; });
    if (stopping_) return Error(ErrorCode::kCancelled, "the copier is stopping");
    writing_ = true;
  }
  Status written = copy_.Write(copies, Patience());
  if (written.ok()) copied_.fetch_add(copies.size(), std::memory_order_relaxed);
  {
    std::lock_guard lock(mutex_);
    writing_ = false;
  }
  changed_.notify_all();
  return written;
}

Status Copier::Compare() {
  comparisons_.fetch_add(1, std::memory_order_relaxed);
  storage::ScanRequest request;
  request.range = options_.range;
  request.keys_only = true;
  request.limit = kCopiesAtOnce;
  storage::KeyRange covered = options_.range;
  for (bool complete = false; !complete;) {
    HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, primary_.Scan(request, Patience()));
    complete = page.complete || page.entries.empty();
    covered.end = options_.range.end;
    // Up to and with the last key: the next one that there can be.
    if (!complete) covered.end = page.entries.back().key + '\0';
    HOLDFAST_ASSIGN_OR_RETURN(const Copies differences, Differences(page, covered));
    if (!differences.empty()) HOLDFAST_RETURN_IF_ERROR(Write(differences));
    if (complete) break;
    request.after = page.entries.back().key;
    covered.start = *covered.end;
    std::lock_guard lock(mutex_);
    if (stopping_) return Error(ErrorCode::kCancelled, "the copier is stopping");
  }
  return {};
}

Result<Copier::Copies> Copier::Differences(const storage::ScanPage& page, const storage::KeyRange& covered) {
  HOLDFAST_ASSIGN_OR_RETURN(Found found, CopiesIn(copy_.backend(), covered, Patience()));
  std::vector<std::string> differing;
  for (const storage::KeyedEntry& entry : page.entries) {
    if (IsPrimaryOnly(entry.key)) continue;
    const auto copy = found.find(entry.key);
    const bool same = copy != found.end() && copy->second != nullptr && SameState(*copy->second, *entry.entry);
    if (!same) differing.push_back(entry.key);
    if (copy != found.end()) found.erase(copy);
  }
  HOLDFAST_ASSIGN_OR_RETURN(Copies copies, Fetch(differing));
  for (const auto& [key, entry] : found) copies.push_back({key, nullptr});
  return copies;
}

Result<Copier::Copies> Copier::Fetch(const std::vector<std::string>& keys) {
  Copies copies;
  if (keys.empty()) return copies;
  std::vector<Operation> gets;
  gets.reserve(keys.size());
  for (const std::string& key : keys) gets.push_back(Operation::Get(key));
  std::vector<OperationResult> results(gets.size());
  primary_.Execute(gets, results, Patience());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool absent = !results[i].status.ok() && results[i].status.error().code() == ErrorCode::kNotFound;
    if (!results[i].status.ok() && !absent) return Error(results[i].status.error());
    copies.push_back({keys[i], absent ? nullptr : results[i].entry});
  }
  return copies;
}

bool Copier::AwaitRetry() {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, options_.retry_pause, [this] { return stopping_; });
}

void Copier::Pause() {
  std::unique_lock lock(mutex_);
  paused_ = true;
  changed_.wait(lock, [this] { return !writing_; });
}

void Copier::Resume() {
  {
    std::lock_guard lock(mutex_);
    paused_ = false;
  }
  changed_.notify_all();
}

void Copier::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  queue_->Stop();
  if (asking_) asking_->Stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace holdfast::composition
