#include "service/composition/write_queue.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/composition/secondary_copy.h"

namespace holdfast::composition {

using storage::Expiry;
using storage::Operation;
using storage::OperationResult;

namespace {

constexpr std::size_t kRowOverhead = 64;  // of a write beside its key and value, in what is counted
constexpr std::size_t kRowsAtOnce = 1000;

std::size_t BytesOf(std::string_view key, const QueuedRow& row) {
  const storage::Entry* const entry = row.write.entry.get();
  return kRowOverhead + key.size() + (entry != nullptr ? entry->value.size() + entry->metadata.size() : 0);
}

Operation RowOf(const QueuedWrite& write) {
  return Operation::Put(QueuedKey(write.key, write.number), EncodeQueuedRow(write.row));
}

template <typename Items>
std::set<std::string, std::less<>> KeysOf(const Items& items) {
  std::set<std::string, std::less<>> keys;
  for (const auto& item : items) keys.insert(item.key);
  return keys;
}

bool Meet(const std::set<std::string, std::less<>>& left, const std::set<std::string, std::less<>>& right) {
  return std::any_of(left.begin(), left.end(), [&](const std::string& key) { return right.contains(key); });
}

void TakeOut(std::set<std::string, std::less<>>& from, const std::set<std::string, std::less<>>& keys) {
  for (const std::string& key : keys) from.erase(key);
}

}  // namespace

// A row that is written: a new one, or one that waits and is replaced.
struct WriteQueue::Change {
  WritePtr replaced;  // null: a new one
  WritePtr write;
};

struct WriteQueue::Outcome {
  storage::Transaction rows;
  std::vector<std::pair<WritePtr, QueuedRow>> successors;  // with what they follow from now on
  std::uint64_t conflicts = 0;
};

std::size_t QueuedWrite::bytes() const {
  return BytesOf(key, row);
}

std::size_t WriteQueue::BytesOf(const New& write) {
  return composition::BytesOf(write.key, write.row);
}

Status WriteQueue::Open(Deadline deadline) {
  storage::ScanRequest request;
  request.range = FailoverRange(FailoverRow::kQueued, options_.range);
  request.limit = kRowsAtOnce;
  for (bool complete = false; !complete;) {
    HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, rows_->Scan(request, deadline));
    HOLDFAST_RETURN_IF_ERROR(Load(page));
    complete = page.complete;
    if (!page.entries.empty()) request.after = page.entries.back().key;
  }
  return {};
}

Status WriteQueue::Load(const storage::ScanPage& page) {
  const std::lock_guard lock(mutex_);
  for (const storage::KeyedEntry& found : page.entries) {
    auto place = PlaceOfQueued(found.key);
    auto row = DecodeQueuedRow(found.entry->value);
    if (!place || !row) return Error(ErrorCode::kCorruption, "a row of the queue of writes is damaged");
    auto write = std::make_shared<QueuedWrite>();
    write->number = place->number;
    write->key = std::move(place->key);
    write->row = *std::move(row);
    write->since = std::chrono::steady_clock::now();
    last_number_ = std::max(last_number_, write->number);
    Insert(std::move(write));
  }
  return {};
}

WriteQueue::Room::~Room() {
  if (queue_ == nullptr) return;
  {
    const std::lock_guard lock(queue_->mutex_);
    queue_->promised_entries_ -= entries_;
    queue_->promised_bytes_ -= bytes_;
  }
  queue_->changed_.notify_all();
}

bool WriteQueue::HasRoom(std::size_t entries, std::size_t bytes) const {
  // A write larger than the queue is taken alone.
  if (by_key_.empty() && promised_entries_ == 0) return true;
  return entries_ + promised_entries_ + entries <= options_.max_entries &&
         bytes_ + promised_bytes_ + bytes <= options_.max_bytes;
}

Result<WriteQueue::Room> WriteQueue::AwaitRoom(std::size_t entries, std::size_t bytes, Deadline deadline) {
  Lock lock(mutex_);
  while (!HasRoom(entries, bytes)) {
    hastened_ = true;  // what waits for company leaves
    due_.notify_all();
    if (changed_.wait_until(lock, deadline.WaitUntil()) == std::cv_status::timeout && !HasRoom(entries, bytes)) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return Error(
          ErrorCode::kUnavailable,
          fmt::format("the queue of writes is full ({} writes, {} bytes; write_queue_entries {}, "
                      "write_queue_bytes {}) and did not get shorter in time; nothing was done, try again when "
                      "the store's backend takes writes, or raise these settings",
                      entries_.load(), bytes_.load(), options_.max_entries, options_.max_bytes));
    }
  }
  hastened_ = stopping_;
  promised_entries_ += entries;
  promised_bytes_ += bytes;
  return Room(*this, entries, bytes);
}

bool WriteQueue::Followed(const std::vector<New>& writes) const {
  std::set<std::string_view> before;  // in this batch
  return std::all_of(writes.begin(), writes.end(), [&](const New& write) {
    const bool first = before.insert(write.key).second;
    return !first || write.row.base != QueuedRow::Base::kPrevious || by_key_.contains(write.key);
  });
}

std::vector<WriteQueue::Change> WriteQueue::Arrange(const std::vector<New>& writes) {
  std::vector<Change> changes;
  std::map<std::string_view, std::size_t> last;  // of each key in `changes`
  for (const New& one : writes) {
    auto write = std::make_shared<QueuedWrite>();
    write->key = one.key;
    write->row = one.row;
    write->since = std::chrono::steady_clock::now();
    const auto again = last.find(one.key);
    if (options_.delay.count() > 0 && again != last.end()) {
      QueuedWrite& own = *changes[again->second].write;
      own.row.write.entry = write->row.write.entry;
      own.row.taken_at = write->row.taken_at;
      coalesced_.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    const auto waiting = by_key_.find(one.key);
    WritePtr replaced;
    if (options_.delay.count() > 0 && waiting != by_key_.end() && !waiting->second.back()->leaving) {
      replaced = waiting->second.back();
      const QueuedRow newest = write->row;
      *write = *replaced;
      write->row.write.entry = newest.write.entry;
      write->row.taken_at = newest.taken_at;
    } else {
      write->number = ++last_number_;
    }
    last[one.key] = changes.size();
    changes.push_back({std::move(replaced), std::move(write)});
  }
  return changes;
}

Result<bool> WriteQueue::Append(const std::vector<New>& writes, Deadline deadline) {
  const Keys keys = KeysOf(writes);
  Lock lock(mutex_);
  changed_.wait(lock, [&] { return !Meet(settling_, keys); });
  if (!Followed(writes)) return false;
  appending_.insert(keys.begin(), keys.end());
  const std::vector<Change> changes = Arrange(writes);
  lock.unlock();

  storage::Transaction rows;
  for (const Change& change : changes) rows.then.push_back(RowOf(*change.write));
  const auto written = rows_->Transact(rows, deadline);

  lock.lock();
  TakeOut(appending_, keys);
  Status status = written.ok() ? (written->applied ? Status() : FirstError(written->results)) : Status(written.error());
  const bool was_empty = by_key_.empty();
  for (const Change& change : changes) {
    if (!status.ok()) break;
    if (change.replaced == nullptr) {
      Insert(change.write);
    } else {
      Replace(*change.replaced, *change.write);
    }
  }
  const bool due = options_.delay.count() == 0 || was_empty || hastened_;
  lock.unlock();
  changed_.notify_all();
  if (due) due_.notify_one();
  if (!status.ok()) return std::move(status).WithContext("keeping a write in the queue").error();
  return true;
}

void WriteQueue::Insert(WritePtr write) {
  entries_.fetch_add(1, std::memory_order_release);
  bytes_.fetch_add(write->bytes(), std::memory_order_release);
  auto& waiting = by_key_[write->key];
  if (waiting.empty()) first_.emplace(write->number, write);
  waiting.push_back(std::move(write));
}

void WriteQueue::Replace(QueuedWrite& write, const QueuedWrite& by) {
  bytes_.fetch_add(by.bytes() - write.bytes(), std::memory_order_release);
  write.row = by.row;
  coalesced_.fetch_add(1, std::memory_order_relaxed);
}

void WriteQueue::Remove(const QueuedWrite& write) {
  const auto waiting = by_key_.find(write.key);
  entries_.fetch_sub(1, std::memory_order_release);
  bytes_.fetch_sub(waiting->second.front()->bytes(), std::memory_order_release);
  first_.erase(write.number);
  waiting->second.pop_front();
  if (waiting->second.empty()) {
    by_key_.erase(waiting);
  } else {
    first_.emplace(waiting->second.front()->number, waiting->second.front());
  }
}

std::optional<WriteQueue::Found> WriteQueue::Find(std::string_view key) const {
  if (empty()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const auto waiting = by_key_.find(key);
  if (waiting == by_key_.end()) return std::nullopt;
  return Found{waiting->second.back()->row.write.entry};
}

Status WriteQueue::WaitUntilDrained(Lock& lock, const std::function<bool()>& waits, const Deadline& deadline) {
  due_.notify_one();
  while (waits()) {
    if (changed_.wait_until(lock, deadline.WaitUntil()) != std::cv_status::timeout || !waits()) continue;
    return Error(ErrorCode::kUnavailable,
                 "writes that were acknowledged before are still waiting for the store's backend, and this has to come "
                 "behind them; nothing was done, try again when the backend takes writes");
  }
  return {};
}

Status WriteQueue::AwaitDrained(std::span<const std::string_view> keys, Deadline deadline) {
  if (empty()) return {};
  Lock lock(mutex_);
  return WaitUntilDrained(
      lock,
      [&] {
        bool waits = false;
        for (const std::string_view key : keys) {
          const auto waiting = by_key_.find(key);
          if (waiting == by_key_.end()) continue;
          for (const WritePtr& write : waiting->second) write->urgent = true;
          waits = true;
        }
        return waits;
      },
      deadline);
}

bool WriteQueue::Waits(const storage::KeyRange& range, std::uint64_t up_to) const {
  bool waits = false;
  for (auto at = by_key_.lower_bound(range.start); at != by_key_.end() && range.Contains(at->first); ++at) {
    for (const WritePtr& write : at->second) {
      if (write->number > up_to) break;
      write->urgent = true;
      waits = true;
    }
  }
  return waits;
}

Status WriteQueue::AwaitDrained(const storage::KeyRange& range, Deadline deadline) {
  if (empty()) return {};
  Lock lock(mutex_);
  return WaitUntilDrained(
      lock, [&, up_to = last_number_] { return Waits(range, up_to); }, deadline);
}

bool WriteQueue::MayLeave(const QueuedWrite& write, Moment now) const {
  if (write.leaving || now < write.not_before || appending_.contains(write.key)) return false;
  return hastened_ || write.urgent || now >= write.since + options_.delay;
}

std::vector<QueuedWrite> WriteQueue::Next(std::size_t most_entries, std::size_t most_bytes, Moment until) {
  std::vector<QueuedWrite> leaving;
  Lock lock(mutex_);
  for (;;) {
    const Moment now = std::chrono::steady_clock::now();
    Moment soonest = until;
    std::size_t bytes = 0;
    for (const auto& [number, write] : first_) {
      if (leaving.size() == most_entries || bytes >= most_bytes) break;
      if (!MayLeave(*write, now)) {
        if (!write->leaving) soonest = std::min(soonest, std::max(write->not_before, write->since + options_.delay));
        continue;
      }
      write->leaving = true;
      bytes += write->bytes();
      leaving.push_back(*write);
    }
    if (!leaving.empty() || std::exchange(woken_, false) || now >= until) return leaving;
    // One that is only being written down says so when it is.
    due_.wait_until(lock, std::max(soonest, now + std::chrono::milliseconds{1}));
  }
}

WriteQueue::Outcome WriteQueue::Conclude(std::span<const QueuedWrite> left, std::span<const SettledWrite> settled) {
  Outcome outcome;
  for (std::size_t i = 0; i < settled.size(); ++i) {
    const SettledWrite& done = settled[i];
    const QueuedWrite& write =
        *std::find_if(left.begin(), left.end(), [&](const QueuedWrite& one) { return one.number == done.number; });
    outcome.rows.then.push_back(Operation::Delete(QueuedKey(write.key, write.number)));
    if (done.conflict) {
      ++outcome.conflicts;
      const storage::Version id = write.row.write.entry ? write.row.write.entry->version : write.number;
      outcome.rows.then.push_back(Operation::Put(ConflictKey(write.key, id), EncodeJournalRow(write.row.write), {},
                                                 Expiry::After(options_.conflict_ttl)));
    }
    const auto& waiting = by_key_.find(write.key)->second;
    if (waiting.size() == 1 || waiting[1]->row.base != QueuedRow::Base::kPrevious) continue;
    QueuedRow next = waiting[1]->row;
    // What follows a write that lost has lost as well.
    next.base = done.conflict ? write.row.base : QueuedRow::Base::kKnown;
    next.write.base = done.conflict ? write.row.write.base : done.version;
    next.write.base_expires_at = done.conflict ? write.row.write.base_expires_at : done.expires_at;
    if (done.conflict) next.taken_at = write.row.taken_at;
    outcome.rows.then.push_back(Operation::Put(QueuedKey(write.key, waiting[1]->number), EncodeQueuedRow(next)));
    outcome.successors.emplace_back(waiting[1], std::move(next));
  }
  return outcome;
}

Status WriteQueue::Settle(std::span<const QueuedWrite> left, std::span<const SettledWrite> settled, Deadline deadline) {
  if (settled.empty()) return {};
  const Keys keys = KeysOf(left);
  Lock lock(mutex_);
  settling_ = keys;
  changed_.wait(lock, [&] { return !Meet(appending_, keys); });
  Outcome outcome = Conclude(left, settled);
  lock.unlock();

  const auto written = rows_->Transact(outcome.rows, deadline);

  lock.lock();
  settling_.clear();
  Status status = written.ok() ? (written->applied ? Status() : FirstError(written->results)) : Status(written.error());
  if (status.ok()) {
    for (auto& [write, row] : outcome.successors) write->row = std::move(row);
    for (const SettledWrite& done : settled) Remove(*first_.at(done.number));
    conflicts_.fetch_add(outcome.conflicts, std::memory_order_relaxed);
    drained_.fetch_add(settled.size() - outcome.conflicts, std::memory_order_relaxed);
  }
  lock.unlock();
  changed_.notify_all();
  return status;
}

void WriteQueue::Stay(std::span<const QueuedWrite> left, Moment not_before) {
  const std::lock_guard lock(mutex_);
  for (const QueuedWrite& write : left) {
    const auto found = first_.find(write.number);
    if (found == first_.end()) continue;
    found->second->leaving = false;
    found->second->not_before = not_before;
  }
}

void WriteQueue::Hasten() {
  {
    const std::lock_guard lock(mutex_);
    hastened_ = true;
    stopping_ = true;
  }
  Wake();
}

void WriteQueue::Wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  due_.notify_all();
}

std::chrono::microseconds WriteQueue::Oldest() const {
  const std::lock_guard lock(mutex_);
  if (first_.empty()) return {};
  // Numbers rise with the first write that a row stands for.
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                               first_.begin()->second->since);
}

Result<storage::FailoverConflicts> WriteQueue::Conflicts(const storage::KeyRange& keys, std::size_t most,
                                                         Deadline deadline) const {
  return ReadConflicts(*rows_, keys, most, deadline);
}

}  // namespace holdfast::composition
