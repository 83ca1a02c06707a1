// How far a transfer is, told on standard error while it lasts: to people as one line that is written over each second,
// otherwise as a line of the log each ten seconds. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::service {

class TransferProgress {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `doing` is "imported" or "exported".
  explicit TransferProgress(std::string doing);
  TransferProgress(std::string doing, bool terminal, Time now);
  ~TransferProgress() { Clear(); }
  TransferProgress(const TransferProgress&) = delete;
  TransferProgress& operator=(const TransferProgress&) = delete;

  // `items` were done before: by a run that this one goes on from.
  void Begin(std::size_t items) { told_ = items; }
  void Tell(std::size_t items);
  // A line that stays, on standard error.
  void Say(std::string_view line);

  struct Report {
    std::size_t items = 0;
    std::size_t per_second = 0;  // since the last one
  };
  // What is to be told now, if anything.
  std::optional<Report> Due(std::size_t items, Time now);

 private:
  void Clear();

  const std::string doing_;
  const bool terminal_;
  Time told_at_;
  std::size_t told_ = 0;
  bool shown_ = false;
};

}  // namespace holdfast::service
