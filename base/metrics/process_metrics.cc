#include "base/metrics/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <sstream>
#include <string>

namespace holdfast::metrics {
namespace {

struct ProcessState {
  double cpu_seconds = 0;
  double start_time = 0;  // Unix time
  double virtual_bytes = 0;
  double resident_bytes = 0;
};

// Seconds since the epoch at which the machine booted.
double BootTime() {
  std::ifstream stat("/proc/stat");
  for (std::string word; stat >> word;) {
    double value = 0;
    if (word == "btime" && stat >> value) return value;
  }
  return 0;
}

std::optional<ProcessState> ReadState() {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  // The second field is the program's name in parentheses, which may hold anything; the third follows the last of them.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(text.substr(name_end + 1));
  const std::vector<std::string> fields{std::istream_iterator<std::string>(rest), {}};
  constexpr std::size_t kFirst = 3;  // the number, in proc(5), of fields[0]
  constexpr std::size_t kUserTime = 14, kSystemTime = 15, kStartTime = 22, kVirtualSize = 23, kResidentPages = 24;
  if (fields.size() <= kResidentPages - kFirst) return std::nullopt;
  const auto field = [&](std::size_t number) { return std::strtod(fields[number - kFirst].c_str(), nullptr); };
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  static const double boot_time = BootTime();
  return ProcessState{.cpu_seconds = (field(kUserTime) + field(kSystemTime)) / ticks,
                      .start_time = boot_time + field(kStartTime) / ticks,
                      .virtual_bytes = field(kVirtualSize),
                      .resident_bytes = field(kResidentPages) * static_cast<double>(sysconf(_SC_PAGESIZE))};
}

std::optional<double> OpenDescriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator descriptors("/proc/self/fd", error);
  if (error) return std::nullopt;
  // Without the one that lists them.
  return static_cast<double>(std::distance(begin(descriptors), end(descriptors)) - 1);
}

// The soft limit; infinity where there is none.
std::optional<double> Limit(decltype(RLIMIT_NOFILE) resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return std::nullopt;
  if (limit.rlim_cur == RLIM_INFINITY) return std::numeric_limits<double>::infinity();
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

void AddProcessMetrics(Registry& registry) {
  Counter& cpu = registry.GetCounter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
  Gauge& open = registry.GetGauge("process_open_fds", "Number of open file descriptors.");
  Gauge& open_limit = registry.GetGauge("process_max_fds", "Maximum number of open file descriptors.");
  Gauge& virtual_memory = registry.GetGauge("process_virtual_memory_bytes", "Virtual memory size in bytes.");
  Gauge& virtual_limit =
      registry.GetGauge("process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.");
  Gauge& resident = registry.GetGauge("process_resident_memory_bytes", "Resident memory size in bytes.");
  Gauge& start =
      registry.GetGauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.");
  registry.OnCollect([&] {
    if (const auto state = ReadState()) {
      cpu.Increment(state->cpu_seconds - cpu.Value());
      virtual_memory.Set(state->virtual_bytes);
      resident.Set(state->resident_bytes);
      start.Set(state->start_time);
    }
    if (const auto descriptors = OpenDescriptors()) open.Set(*descriptors);
    if (const auto limit = Limit(RLIMIT_NOFILE)) open_limit.Set(*limit);
    if (const auto limit = Limit(RLIMIT_AS)) virtual_limit.Set(*limit);
  });
}

}  // namespace holdfast::metrics
