// The changes of a backend that keeps no history of its own, as its listener hears of them. What was not read is held
// in memory, and ends with the process; positions of another process are a gap.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

#include "service/storage/change_history.h"
#include "service/storage/change_listener.h"

namespace holdfast::storage {

// Thread-safe.
class ListenedHistory final : public ChangeListener, public ChangeHistory {
 public:
  // Hears of keys that begin with `prefix`, and holds `most_bytes` of their changes: what is beyond it, unread, is a
  // gap. `clock` outlives it.
  ListenedHistory(std::string prefix, std::size_t most_bytes, const Clock& clock);

  void OnChange(std::string_view key, const EntryPtr& before, const EntryPtr& after,
                ChangeCause cause) noexcept override;
  void OnMissed() noexcept override;
  // What lies before `position` is let go of: there is one reader. `prefix`: its own.
  Result<ChangePage> Read(const std::string& position, std::string_view prefix, std::size_t most_bytes,
                          Deadline deadline) override;

 private:
  void Lose(const char* why) noexcept;  // with mutex_
  std::string Position(std::uint64_t number) const;

  const std::string prefix_;
  const std::size_t most_bytes_;
  const std::string name_;  // random: of this object alone, in positions
  const Clock& clock_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::deque<KeyChange> changes_;
  std::size_t bytes_ = 0;       // of changes_
  std::uint64_t begin_ = 0;     // the number of the first of changes_
  bool followed_ = false;       // somebody has asked for a position; nothing is kept before that
  const char* lost_ = nullptr;  // why some are missing before changes_, since the last Read
  Timestamp newest_{};
};

}  // namespace holdfast::storage
