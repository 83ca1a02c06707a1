#include "base/log/log.h"

#include <fmt/chrono.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>

namespace holdfast::log {
namespace {

Options Resolved(Options options) {
  if (options.format == Format::kAuto) options.format = ::isatty(STDERR_FILENO) == 1 ? Format::kHuman : Format::kJson;
  return options;
}

// What every line needs. Never destroyed, so that destructors of other statics may still log.
class Logger {
 public:
  Logger() : options_(Resolved({})) {
    // Ours is the whole line; the library adds its newline, takes its lock and writes the line in one piece.
    sink_.set_pattern("%v");
  }

  void Replace(const Options& options) {
    Options resolved = Resolved(options);
    level_.store(resolved.level, std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    options_ = std::move(resolved);
  }

  Level level() const { return level_.load(std::memory_order_relaxed); }

  Options options() const {
    std::lock_guard lock(mutex_);
    return options_;
  }

  void Print(std::string_view line) {
    sink_.log(spdlog::details::log_msg("", spdlog::level::info, spdlog::string_view_t(line.data(), line.size())));
  }

 private:
  std::atomic<Level> level_ = Level::kInfo;
  mutable std::mutex mutex_;
  Options options_;  // guarded by mutex_
  spdlog::sinks::stderr_sink_mt sink_;
};

Logger& TheLogger() {
  static Logger* const logger = new Logger;
  return *logger;
}

std::string Now(Format format) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const std::tm utc = fmt::gmtime(std::chrono::system_clock::to_time_t(now));
  const auto milliseconds = now.time_since_epoch().count() % 1000;
  if (format == Format::kHuman) return fmt::format("{:%H:%M:%S}.{:03}", utc, milliseconds);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc, milliseconds);
}

}  // namespace

void Configure(const Options& options) {
  TheLogger().Replace(options);
}

bool Enabled(Level level) {
  return level >= TheLogger().level();
}

void Write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (!Enabled(level)) return;
  const Options options = TheLogger().options();
  TheLogger().Print(FormatLine(options.format, level, options.component, message, fields, Now(options.format)));
}

}  // namespace holdfast::log
