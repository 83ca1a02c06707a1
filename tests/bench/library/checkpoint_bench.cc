// What a checkpoint costs, in process:
//
//   bench_checkpoint FOLDER [--entries N] [--backend KIND]    prints rows for docs/performance.md and exits 0 whatever
//                                                            they say
//
// - taking one of N entries of 100 bytes (1,000,000), reading it again, and restoring it into the emptied store: right
//   behind the deletions, and once the backend has dropped what was deleted, as a new one has nothing to drop;
// - what memory grows by meanwhile, by the peak of the process.
//
// Wall-clock times, for the disk is part of it, and the processor time of all threads in brackets.
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/metrics/metrics.h"
#include "service/durability/checkpoints.h"
#include "tests/bench/library/filled_store.h"
#include "tests/bench/library/measuring.h"

namespace holdfast::bench {
namespace {

using storage::Backend;

// The peak of the process since the last call, in MiB; what it has now is where the next one begins.
double PeakMiB() {
  double peak = 0;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) peak = std::strtod(line.c_str() + 6, nullptr) / 1024;
  }
  std::ofstream("/proc/self/clear_refs") << "5";
  return peak;
}

// Of the wall, and of all the process's threads on processors, in the program itself and in the kernel for it.
struct Cost {
  double wall = 0;
  double processor = 0;
};

double ProcessorSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

template <typename Work>
Cost CostOf(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  const double processor = ProcessorSeconds();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
          ProcessorSeconds() - processor};
}

std::string Show(const Cost& cost) {
  return fmt::format("{:.2f} s ({:.2f} s)", cost.wall, cost.processor);
}

void Measure(const std::string& name, const std::shared_ptr<Backend>& backend, const std::string& folder,
             std::size_t entries) {
  metrics::Registry registry;
  durability::CheckpointOptions options;
  options.directory = folder + "/checkpoints-" + name;
  options.validate = false;
  durability::Checkpoints checkpoints(backend, "main", options, SystemClock(), registry);
  Fill(*backend, entries);
  PeakMiB();
  const double at_rest = PeakMiB();
  const Cost take = CostOf([&] { Check(checkpoints.Create("one", Deadline::Infinite()).ok()); });
  const double taking = PeakMiB();
  const Cost validate = CostOf([&] { Check(checkpoints.Validate("one", Deadline::Infinite()).ok()); });
  const auto empty = [&] { Check(backend->DeleteRange(storage::KeyRange::All(), Deadline::Infinite()).ok()); };
  const auto restore = [&] {
    const auto report = checkpoints.Restore("one", Deadline::Infinite());
    Check(report.ok() && report->restored == entries);
  };
  empty();
  PeakMiB();
  const Cost emptied = CostOf(restore);
  const double restoring = PeakMiB();
  empty();
  if (backend->maintenance() != nullptr) Check(backend->maintenance()->Compact(Deadline::Infinite()).ok());
  const Cost restored = CostOf(restore);
  const auto bytes = checkpoints.Get("one")->size_bytes;
  fmt::print("| {} | {} | {} | {} | {} | {} | {:.1f} MB | {:.0f} MiB | {:.0f} MiB |\n", name, entries, Show(take),
             Show(validate), Show(emptied), Show(restored), static_cast<double>(bytes) / 1e6, taking - at_rest,
             restoring - at_rest);
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') {
    fmt::print(stderr, "usage: bench_checkpoint FOLDER [--entries N] [--backend KIND]\n");
    return 2;
  }
  const std::string folder = argv[1];
  std::size_t entries = 1'000'000;
  std::string only;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--entries") entries = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::string(argv[i]) == "--backend") only = argv[i + 1];
  }
  fmt::print(
      "| backend | entries | take | validate | restore | into an empty one | file | memory, taking | restoring |\n"
      "|---|---|---|---|---|---|---|---|---|\n");
  holdfast::bench::WithEachBackend(folder, [&](const std::string& kind, const auto& backend) {
    if (only.empty() || kind == only) holdfast::bench::Measure(kind, backend, folder, entries);
  });
  return 0;
}
