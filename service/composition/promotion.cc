#include "service/composition/promotion.h"

namespace holdfast::composition {
namespace {

std::size_t BytesOf(const storage::EntryPtr& entry) {
  return entry ? entry->value.size() : 0;
}

}  // namespace

void Promotion::Offer(const std::vector<Copies::New>& copies) {
  {
    std::lock_guard lock(mutex_);
    for (const Copies::New& copy : copies) {
      const std::size_t bytes = BytesOf(copy.entry);
      if (waiting_.size() >= kMaxWaitingCopies || bytes_ + bytes > kMaxWaitingBytes || stopping_) {
        dropped_.fetch_add(1, std::memory_order_relaxed);
      } else {
        bytes_ += bytes;
        waiting_.push_back({std::string(copy.key), copy.stamp, copy.entry});
      }
    }
  }
  wake_.notify_one();
}

void Promotion::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Promotion::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    std::vector<Waiting> taken;
    while (!waiting_.empty() && taken.size() < kMaxCopiesAtOnce) {
      bytes_ -= BytesOf(waiting_.front().entry);
      taken.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    lock.unlock();
    std::vector<Copies::New> copies;
    copies.reserve(taken.size());
    for (const Waiting& copy : taken) copies.push_back({copy.key, copy.stamp, copy.entry});
    copies_.Keep(copies, Deadline::Infinite());
    lock.lock();
  }
}

}  // namespace holdfast::composition
