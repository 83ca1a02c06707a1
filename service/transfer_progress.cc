#include "service/transfer_progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "base/log/log.h"

namespace holdfast::service {
namespace {

constexpr std::chrono::seconds kOnATerminal{1};
constexpr std::chrono::seconds kInALog{10};
// Back to the beginning of the line, and what stood there goes.
constexpr char kOver[] = "\r\x1b[K";

}  // namespace

TransferProgress::TransferProgress(std::string doing)
    : TransferProgress(std::move(doing), isatty(STDERR_FILENO) == 1, std::chrono::steady_clock::now()) {}

TransferProgress::TransferProgress(std::string doing, bool terminal, Time now)
    : doing_(std::move(doing)), terminal_(terminal), told_at_(now) {}

void TransferProgress::Clear() {
  if (std::exchange(shown_, false)) fmt::print(stderr, "{}", kOver);
}

void TransferProgress::Say(std::string_view line) {
  Clear();
  fmt::print(stderr, "{}\n", line);
}

std::optional<TransferProgress::Report> TransferProgress::Due(std::size_t items, Time now) {
  const auto passed = now - told_at_;
  if (passed < (terminal_ ? kOnATerminal : kInALog)) return std::nullopt;
  const double seconds = std::chrono::duration<double>(passed).count();
  const Report report{items, static_cast<std::size_t>(static_cast<double>(items - told_) / seconds)};
  told_at_ = now;
  told_ = items;
  return report;
}

void TransferProgress::Tell(std::size_t items) {
  const std::optional<Report> report = Due(items, std::chrono::steady_clock::now());
  if (!report) return;
  if (!terminal_) {
    log::Info(doing_, {{"items", report->items}, {"per_second", report->per_second}});
    return;
  }
  fmt::print(stderr, "{}{} items {}, {} a second", kOver, report->items, doing_, report->per_second);
  shown_ = true;
}

}  // namespace holdfast::service
