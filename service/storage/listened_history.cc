#include "service/storage/listened_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <utility>

namespace holdfast::storage {
namespace {

std::size_t BytesOf(const KeyChange& change) {
  constexpr std::size_t kOverhead = sizeof(KeyChange) + sizeof(Entry);
  return kOverhead + change.key.size() +
         (change.entry ? change.entry->value.size() + change.entry->metadata.size() : 0);
}

std::string RandomName() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

}  // namespace

ListenedHistory::ListenedHistory(std::string prefix, std::size_t most_bytes, const Clock& clock)
    : prefix_(std::move(prefix)), most_bytes_(most_bytes), name_(RandomName()), clock_(clock) {}

std::string ListenedHistory::Position(std::uint64_t number) const {
  return fmt::format("listened {} {}", name_, number);
}

void ListenedHistory::Lose(const char* why) noexcept {
  begin_ += changes_.size() + 1;  // a position of before is none any more
  changes_.clear();
  bytes_ = 0;
  lost_ = why;
}

void ListenedHistory::OnChange(std::string_view key, const EntryPtr& /*before*/, const EntryPtr& after,
                               ChangeCause /*cause*/) noexcept {
  if (!key.starts_with(prefix_)) return;
  std::lock_guard lock(mutex_);
  if (!followed_ || lost_ != nullptr) return;
  newest_ = std::max(newest_, clock_.Now());
  changes_.push_back({std::string(key), newest_, after});
  bytes_ += BytesOf(changes_.back());
  if (bytes_ > most_bytes_) Lose("more changes waited to be shipped than backups.change_archive_buffer holds");
}

void ListenedHistory::OnMissed() noexcept {
  std::lock_guard lock(mutex_);
  if (followed_) Lose("changes that others made were missed");
}

Result<ChangePage> ListenedHistory::Read(const std::string& position, std::string_view /*prefix*/,
                                         std::size_t most_bytes, Deadline /*deadline*/) {
  std::lock_guard lock(mutex_);
  ChangePage page;
  // Whoever was told that a change is made has been heard of here before.
  newest_ = std::max(newest_, clock_.Now());
  const auto from_now = [&](std::string gap) {
    followed_ = true;
    lost_ = nullptr;
    begin_ += changes_.size();
    changes_.clear();
    bytes_ = 0;
    page.position = Position(begin_);
    page.until = newest_;
    page.complete = true;
    page.gap = std::move(gap);
    return page;
  };
  if (position.empty()) return from_now("");
  const std::string own = Position(0);
  const std::string_view mine(own.data(), own.size() - 1);
  std::uint64_t number = 0;
  const bool ours =
      position.starts_with(mine) &&
      std::from_chars(position.data() + mine.size(), position.data() + position.size(), number).ec == std::errc();
  if (!ours) return from_now("the store is kept in memory, and the process that held it has ended");
  if (lost_ != nullptr) return from_now(lost_);
  if (number < begin_ || number > begin_ + changes_.size()) return from_now("what was read before is asked for again");
  for (; begin_ < number; ++begin_) {
    bytes_ -= BytesOf(changes_.front());
    changes_.pop_front();
  }
  std::size_t next = 0;
  std::size_t bytes = 0;
  // What has one time may be one transaction.
  while (next < changes_.size() && (bytes < most_bytes || changes_[next].at == changes_[next - 1].at)) {
    bytes += BytesOf(changes_[next]);
    page.changes.push_back(changes_[next++]);
  }
  page.passed = bytes;
  page.position = Position(begin_ + next);
  page.complete = next == changes_.size();
  page.until = page.complete ? newest_ : page.changes.back().at;
  return page;
}

}  // namespace holdfast::storage
