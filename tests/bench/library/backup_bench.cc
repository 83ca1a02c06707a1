// What a store's writers lose while it is backed up, in process:
//
//   bench_backup FOLDER [--entries N] [--seconds S] [--backend KIND]    prints rows for docs/performance.md and exits 0
//                                                                      whatever they say
//
// Threads put entries of 100 bytes into a store of N (1,000,000) for S seconds (2), by itself and while backups of it
// are made and verified one behind the other, in turns. Wall-clock times: the machine has to be at rest.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/metrics/metrics.h"
#include "service/backup/backups.h"
#include "service/backup/folder_target.h"
#include "tests/bench/library/filled_store.h"
#include "tests/bench/library/measuring.h"

namespace holdfast::bench {
namespace {

using storage::Backend;
using Seconds = std::chrono::duration<double>;

constexpr std::size_t kWriters = 8;
constexpr std::size_t kTurns = 5;
constexpr std::chrono::milliseconds kLook{2};

struct Asked {
  std::size_t entries = 1'000'000;
  double seconds = 2;
  std::string only;  // of the backends; empty: all
};

// Puts in a second, by all threads together.
double Write(Backend& backend, const Asked& asked) {
  std::atomic<std::size_t> puts = 0;
  const auto begin = std::chrono::steady_clock::now();
  const auto end = begin + std::chrono::duration_cast<std::chrono::steady_clock::duration>(Seconds(asked.seconds));
  std::vector<std::thread> writers;
  for (std::size_t writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      std::mt19937_64 random(writer);
      while (std::chrono::steady_clock::now() < end) {
        Check(ExecuteOne(backend, PutOf(random() % asked.entries), Deadline::Infinite()).status.ok());
        ++puts;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  return static_cast<double>(puts) / Seconds(std::chrono::steady_clock::now() - begin).count();
}

// Makes backups until it goes.
class BackingUp {
 public:
  explicit BackingUp(backup::Backups& backups)
      : backups_(backups), thread_([this](const std::stop_token& stop) { Loop(stop); }) {}
  // When the one on its way is done.
  std::size_t Stop() {
    thread_.request_stop();
    thread_.join();
    return made_;
  }

 private:
  void Loop(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      auto run = backups_.Begin(storage::BackupAction::kCreate, "");
      while (run.ok() && !run->finished_at) {
        std::this_thread::sleep_for(kLook);
        run = backups_.FindRun(run->id);
      }
      Check(run.ok() && !run->error);
      ++made_;
    }
  }

  backup::Backups& backups_;
  std::size_t made_ = 0;
  std::jthread thread_;  // last: it uses the rest
};

void Measure(const std::string& kind, const std::shared_ptr<Backend>& backend, const std::string& folder,
             const Asked& asked) {
  metrics::Registry registry;
  durability::CheckpointOptions checkpoint_options;
  checkpoint_options.directory = folder + "/checkpoints-" + kind;
  const auto checkpoints =
      std::make_shared<durability::Checkpoints>(backend, "main", checkpoint_options, SystemClock(), registry);
  backup::BackupOptions options;
  options.directory = folder + "/backups-" + kind;
  options.retention.keep_last = 1;
  options.pace.work_percent = backup::kDefaultWorkPercent;
  backup::Backups backups({backend, "main"}, backup::MakeFolderTarget(options.directory, "main"), checkpoints, options,
                          SystemClock(), registry);
  Fill(*backend, asked.entries);
  std::vector<double> alone;
  std::vector<double> beside;
  std::vector<double> ratios;
  std::size_t made = 0;
  for (std::size_t turn = 0; turn < kTurns; ++turn) {
    alone.push_back(Write(*backend, asked));
    BackingUp running(backups);
    beside.push_back(Write(*backend, asked));
    made += running.Stop();
    ratios.push_back(beside.back() / alone.back());
  }
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  fmt::print("| {} | {:.0f} | {:.0f} | {:.2f} ({:.2f}-{:.2f}) | {} |\n", kind, Median(alone), Median(beside),
             Median(ratios), *least, *most, made);
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  holdfast::bench::Asked asked;
  if (argc < 2 || argc % 2 != 0) {
    fmt::print(stderr, "usage: bench_backup FOLDER [--entries N] [--seconds S] [--backend KIND]\n");
    return 2;
  }
  for (int i = 2; i + 1 < argc; i += 2) {
    if (std::string_view(argv[i]) == "--entries") asked.entries = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::string_view(argv[i]) == "--seconds") asked.seconds = std::strtod(argv[i + 1], nullptr);
    if (std::string_view(argv[i]) == "--backend") asked.only = argv[i + 1];
  }
  fmt::print(
      "| backend | puts/s | puts/s beside backups | ratio (range of {} turns) | backups |\n|---|---|---|---|---|\n",
      holdfast::bench::kTurns);
  holdfast::bench::WithEachBackend(argv[1], [&](const std::string& kind, const auto& backend) {
    if (asked.only.empty() || kind == asked.only) holdfast::bench::Measure(kind, backend, argv[1], asked);
  });
  return 0;
}
