#include "service/composition/change_queue.h"

#include <algorithm>

namespace holdfast::composition {
namespace {

std::size_t BytesOf(const storage::EntryPtr& entry) {
  return entry ? entry->value.size() : 0;
}

}  // namespace

void ChangeQueue::Push(std::string_view key, const storage::EntryPtr& entry) {
  std::lock_guard lock(mutex_);
  // The comparison that has not begun yet will see it.
  if (missed_ && !comparing_) return;
  ++pushes_;
  const auto [found, is_new] = waiting_.try_emplace(std::string(key));
  if (is_new) {
    found->second.number = pushes_;
    order_.emplace_back(key);
    bytes_ += key.size();
  }
  bytes_ += BytesOf(entry);
  bytes_ -= BytesOf(found->second.entry);
  found->second.entry = entry;
  if (order_.size() > bounds_.keys || bytes_ > bounds_.bytes) {
    Forget();
    missed_ = true;
  }
  pushed_.notify_one();
}

void ChangeQueue::Forget() {
  waiting_.clear();
  order_.clear();
  bytes_ = 0;
}

void ChangeQueue::Miss() {
  std::lock_guard lock(mutex_);
  if (!comparing_) Forget();
  missed_ = true;
  pushed_.notify_one();
}

void ChangeQueue::Mark(MonotonicTime when) {
  std::lock_guard lock(mutex_);
  if (mark_) return;
  mark_ = Marked{when, pushes_};
  Settle();
}

bool ChangeQueue::AwaitWork() {
  std::unique_lock lock(mutex_);
  pushed_.wait(lock, [this] { return stopped_ || missed_ || !order_.empty(); });
  return !stopped_;
}

std::vector<SecondaryCopy::New> ChangeQueue::Take(std::size_t most) {
  std::lock_guard lock(mutex_);
  std::vector<SecondaryCopy::New> some;
  some.reserve(std::min(most, order_.size()));
  if (!order_.empty()) taken_from_ = waiting_.at(order_.front()).number;
  while (some.size() < most && !order_.empty()) {
    const auto found = waiting_.find(order_.front());
    bytes_ -= found->first.size() + BytesOf(found->second.entry);
    some.push_back({found->first, std::move(found->second.entry)});
    waiting_.erase(found);
    order_.pop_front();
  }
  taken_ = some.size();
  return some;
}

void ChangeQueue::Done() {
  std::lock_guard lock(mutex_);
  taken_ = 0;
  Settle();
}

bool ChangeQueue::TakeMissed() {
  std::lock_guard lock(mutex_);
  if (!missed_) return false;
  missed_ = false;
  comparing_ = true;
  return true;
}

void ChangeQueue::Compared(bool ok) {
  std::lock_guard lock(mutex_);
  comparing_ = false;
  missed_ = missed_ || !ok;
  Settle();
}

void ChangeQueue::Settle() {
  if (mark_ && !missed_ && !comparing_) {
    const bool taken_before = taken_ > 0 && taken_from_ <= mark_->pushes;
    const bool waits_before = !order_.empty() && waiting_.at(order_.front()).number <= mark_->pushes;
    if (!taken_before && !waits_before) {
      written_up_to_ = mark_->when;
      mark_.reset();
    }
  }
  if (empty()) settled_.notify_all();
}

bool ChangeQueue::AwaitEmpty(Deadline deadline) {
  std::unique_lock lock(mutex_);
  return settled_.wait_until(lock, deadline.WaitUntil(), [this] { return stopped_ || empty(); }) && !stopped_;
}

void ChangeQueue::Stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  pushed_.notify_all();
  settled_.notify_all();
}

std::size_t ChangeQueue::waiting() const {
  std::lock_guard lock(mutex_);
  return order_.size() + taken_;
}

bool ChangeQueue::missed() const {
  std::lock_guard lock(mutex_);
  return missed_ || comparing_;
}

std::optional<MonotonicTime> ChangeQueue::written_up_to() const {
  std::lock_guard lock(mutex_);
  return written_up_to_;
}

}  // namespace holdfast::composition
