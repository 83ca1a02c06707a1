// Failovers over and over, with an audit of every write that was acknowledged, and how long nobody could write, beside
// Patroni alone with its defaults:
//
//   failover_rounds [--rounds N] [--plain-rounds N] [--seed N]
//
// N rounds of a primary that is killed, and a fifth, a tenth of that many of planned switchovers and of frozen
// primaries; then a node that is lost, once. The kubelet played here looks at its containers every second, as a real
// one. Ends with 1 when an acknowledged write is missing. HOLDFAST_SEED is the default of --seed.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <stdexcept>

#include "base/log/log.h"
#include "tests/integration/failover/failover_bench.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using patroni_cluster::KubeletSettings;
using patroni_cluster::PatroniCluster;
using patroni_cluster::Settings;

constexpr KubeletSettings kKubelet{std::chrono::milliseconds{1000}};

constexpr int kShownComplaints = 20;

// Patroni's pace between two rounds; the operator's does not depend on it.
Settings Quick() {
  Settings settings;
  settings.ttl = 20;
  settings.loop_wait = 2;
  settings.retry_timeout = 5;
  settings.failsafe = true;
  return settings;
}

// Who may be the primary after a fault.
enum class Successor {
  kAnother,
  kAnybody,  // the former one as well, ended and started anew while it still holds the lock
};

struct Row {
  std::string what;
  std::vector<std::int64_t> outages;  // milliseconds
};

void Print(const Row& row) {
  fmt::print("| {} | {} | {:.2f} | {:.2f} | {:.2f} |\n", row.what, row.outages.size(),
             static_cast<double>(Percentile(row.outages, 50)) / 1000,
             static_cast<double>(Percentile(row.outages, 99)) / 1000,
             static_cast<double>(Percentile(row.outages, 100)) / 1000);
  std::fflush(stdout);
}

class Rounds {
 public:
  explicit Rounds(std::uint64_t seed) : random_(seed) {}

  // One cluster, `count` times: settle, wait a random moment, `fault`, until a successor takes writes.
  Row Run(const std::string& what, const Settings& settings, bool with_operator, int count,
          const std::function<void(FailoverBench&, const std::string& primary)>& fault,
          Successor successor = Successor::kAnother) {
    Row row{what, {}};
    if (count == 0) return row;
    FailoverBench bench(settings, kKubelet, with_operator);
    for (int round = 0; round < count; ++round) {
      Must(bench.cluster().AwaitSettled());
      if (with_operator) {
        Must(Eventually([&] { return bench.Failover().value("ready", false); }), "never ready");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 2000));
      const std::string former = bench.cluster().Leader();
      bench.meter().Begin();
      fault(bench, former);
      const auto primary = bench.cluster().AwaitPrimary(successor == Successor::kAnother ? former : "");
      Must(primary.ok() ? Status() : Status(primary.error()));
      Must(bench.load().AwaitAcknowledged(50), "no writes after the failover");
      row.outages.push_back(bench.meter().Longest().count());
      std::fprintf(stderr, "%s: round %d: %.2f s\n", what.c_str(), round + 1,
                   static_cast<double>(row.outages.back()) / 1000);
      for (const std::string& name : bench.cluster().names()) bench.cluster().SetKubeletReachable(name, true);
    }
    const auto counts = bench.load().history().counts();
    acknowledged_ += counts.acknowledged;
    const std::vector<std::string> complaints = bench.Audit();
    for (const std::string& complaint : complaints) {
      if (++complaints_ <= kShownComplaints) fmt::print("AUDIT: {}: {}\n", what, complaint);
    }
    fmt::print(stderr, "{}: {} writes acknowledged, {} complaints of the audit\n", what, counts.acknowledged,
               complaints.size());
    return row;
  }

  std::uint64_t acknowledged() const { return acknowledged_; }
  int complaints() const { return complaints_; }

 private:
  static void Must(const Status& status) {
    if (!status.ok()) throw std::runtime_error(status.error().ToString());
  }
  static void Must(bool holds, const char* otherwise) {
    if (!holds) Must(Error(ErrorCode::kInternal, otherwise));
  }

  std::mt19937_64 random_;
  std::uint64_t acknowledged_ = 0;
  int complaints_ = 0;
};

int Main(int argc, char** argv) {
  const char* environment = std::getenv("HOLDFAST_SEED");
  std::map<std::string, std::uint64_t> options{
      {"--rounds", 50},
      {"--plain-rounds", 3},
      {"--seed", environment == nullptr ? 1 : std::strtoull(environment, nullptr, 10)}};
  for (int i = 1; i < argc; i += 2) {
    if (!options.contains(argv[i]) || i + 1 == argc) {
      std::fprintf(stderr, "usage: failover_rounds [--rounds N] [--plain-rounds N] [--seed N]\n");
      return 2;
    }
    options[argv[i]] = std::strtoull(argv[i + 1], nullptr, 10);
  }
  log::Options quiet;
  quiet.level = log::Level::kError;
  log::Configure(quiet);
  const int rounds = static_cast<int>(options["--rounds"]);
  Rounds run(options["--seed"]);
  fmt::print("seed {}\n\n| write outage, s | rounds | p50 | p99 | longest |\n|---|---|---|---|---|\n",
             options["--seed"]);
  const auto kill = [](FailoverBench& bench, const std::string& primary) { bench.cluster().Kill(primary); };
  Print(run.Run("primary killed", Quick(), true, rounds, kill));
  Print(run.Run("planned switchover", Quick(), true, (rounds + 4) / 5,
                [](FailoverBench& bench, const std::string&) { bench.AskForSwitchover(""); }));
  Print(run.Run(
      "primary frozen (SIGSTOP)", Quick(), true, (rounds + 9) / 10,
      [](FailoverBench& bench, const std::string& primary) { bench.cluster().Freeze(primary); }, Successor::kAnybody));
  // Nobody tells that the node is dead: what is left is Patroni's lock, which runs out.
  Print(run.Run("node lost: no proof, Patroni's ttl of 20 s", Quick(), true, rounds == 0 ? 0 : 1,
                [](FailoverBench& bench, const std::string& primary) {
                  bench.cluster().SetKubeletReachable(primary, false);
                  bench.cluster().Kill(primary);
                }));
  // A killed container would otherwise be started again before Patroni's lock runs out; what a lost pod costs is
  // wanted.
  Print(run.Run("Patroni 3.0.2 alone, its defaults, primary killed", Settings{}, false,
                static_cast<int>(options["--plain-rounds"]), [](FailoverBench& bench, const std::string& primary) {
                  bench.cluster().Kill(primary);
                  bench.cluster().SetKubeletReachable(primary, false);
                }));
  fmt::print("\n{} writes acknowledged, {} complaints of the audit\n", run.acknowledged(), run.complaints());
  return run.complaints() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
  // Thrown, so that the servers and the service of the round that failed end with it.
  try {
    return holdfast::Main(argc, argv);
  } catch (const std::exception& error) {
    fmt::print("FAILED: {}\n", error.what());
    return 1;
  }
}
