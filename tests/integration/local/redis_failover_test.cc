// The master of a Redis backend killed over and over (SIGKILL of the server process) under load through the service:
// how long nobody could write, what was acknowledged and is lost, and whether two servers ever took writes at once.
// HOLDFAST_ROUNDS says how often (redis_failover_rounds --rounds), HOLDFAST_SEED when.
#include <signal.h>

#include <iostream>
#include <random>

#include "tests/integration/local/local_sentinel_fixture.h"
#include "tests/integration/local/master_probe.h"
#include "tests/integration/postgres/outage_meter.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using testing::IsEmpty;
using testing::Not;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::uint64_t kDefaultRounds = 2;
// How long writes may take to go on, on a machine that is busy. What they take is reported.
constexpr std::chrono::seconds kOutageBound{60};
// Sentinels make a former master a replica some eight seconds after they find that it says otherwise.
constexpr std::chrono::seconds kConversion{60};

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class RedisFailoverTest : public LocalSentinelTest {
 protected:
  // Of the server itself, not of the first process of its container. What it calls its own number is its container's,
  // so it is looked for: by its title, and only among the processes that this test has started. 0: not there.
  pid_t ServerPid(const std::string& pod) const {
    const std::string title = "redis-server " + PodIp(pod) + ":6379";
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const pid_t pid = std::atoi(entry.path().filename().c_str());
      if (pid > 0 && FileText(entry.path() / "cmdline").starts_with(title) && IsOurs(pid)) return pid;
    }
    return 0;
  }
  bool IsOurs(pid_t pid) const {
    while (pid > 1 && pid != program_->pid()) {
      const std::string stat = FileText("/proc/" + std::to_string(pid) + "/stat");
      const std::size_t name_ends = stat.rfind(')');
      // ") S PARENT": what is gone meanwhile has none.
      pid = name_ends == std::string::npos ? 0 : std::atoi(stat.c_str() + name_ends + 3);
    }
    return pid == program_->pid();
  }
  MasterProbe::Login ApplicationLogin() const {
    const json secret = Object("/api/v1/namespaces/default/secrets/demo-local-tls");
    const std::filesystem::path authority = folder_ / "ca.crt";
    std::ofstream(authority) << kube::Base64Decode(secret.at("data").at("ca.crt").get<std::string>()).value();
    return {"holdfast", File("application-password"), authority.string()};
  }
  std::vector<MasterProbe::Server> Servers() const {
    std::vector<MasterProbe::Server> servers;
    for (const std::string& pod : Behind("demo-local-0")) servers.push_back({pod, PodIp(pod)});
    return servers;
  }
  bool Settled() const { return AllInStep() && StatusNames(Master()); }
  std::int64_t Hastened() const {
    return Object(kCluster).value("/status/failover/0/epoch"_json_pointer, std::int64_t{0});
  }
  // Stopped until another is the master, then it goes on. How long the two took writes at once.
  milliseconds FreezeAndGoOn(bool guarded) {
    const std::string former = Master();
    if (!guarded) Ask(former, 6379, "keeper", "config set min-replicas-to-write 0");
    MasterProbe probe(Servers(), ApplicationLogin());
    EXPECT_TRUE(Eventually([&] { return !probe.stints().empty(); }));
    const pid_t server = ServerPid(former);
    EXPECT_GT(server, 0);
    if (server <= 0) return {};
    kill(server, SIGSTOP);
    const bool replaced = Eventually([&] { return !Master().empty() && Master() != former; }, kPatience);
    const bool takes_writes = replaced && Eventually([&] { return probe.stints().back().pod != former; }, kPatience);
    kill(server, SIGCONT);
    EXPECT_TRUE(takes_writes) << WhatIsWrong();
    EXPECT_TRUE(Eventually([&] { return AllInStep(); }, kConversion)) << WhatIsWrong();
    probe.Stop();
    return probe.LongestWithTwo();
  }
};

TEST_F(RedisFailoverTest, redis_failover_KilledMastersLoseNoMoreThanIsDocumented) {
  const std::uint64_t rounds = FromEnvironment("HOLDFAST_ROUNDS", kDefaultRounds);
  const std::uint64_t seed = FromEnvironment("HOLDFAST_SEED", 1);
  std::cout << "seed " << seed << ", " << rounds << " rounds\n";
  std::mt19937_64 random(seed);
  StartInStep();
  if (HasFatalFailure()) return;
  AuditedLoad load(Service());
  OutageMeter meter(load.history());
  const auto began = Clock::now();
  const int switches = Switches();
  MasterProbe probe(Servers(), ApplicationLogin());
  ASSERT_TRUE(Acknowledges(load, 50));

  std::vector<std::int64_t> outages;
  std::vector<WriteHistory::Window> windows;
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    ASSERT_TRUE(Eventually([&] { return Settled(); }, kPatience)) << WhatIsWrong();
    std::this_thread::sleep_for(milliseconds(random() % 2000));
    const std::string former = Master();
    const pid_t server = ServerPid(former);
    ASSERT_GT(server, 0);
    meter.Begin();
    const auto killed_at = Clock::now();
    ASSERT_EQ(kill(server, SIGKILL), 0);
    ASSERT_TRUE(Eventually([&] { return !Runs(server); }));
    ASSERT_TRUE(Acknowledges(load, 50));
    ASSERT_TRUE(Eventually([&] { return Settled(); }, kPatience)) << WhatIsWrong();
    outages.push_back(meter.Longest().count());
    windows.push_back({killed_at - kLossBound, killed_at + meter.Longest()});
    std::cout << "round " << round << ": " << former << " killed, now " << Master() << ", no writes for "
              << outages.back() << " ms" << std::endl;
    EXPECT_LT(outages.back(), milliseconds(kOutageBound).count());
  }
  load.Stop();
  probe.Stop();

  WriteHistory::Entries found;
  ASSERT_TRUE(Eventually([&] { return Everything(&found); }));
  // On a machine that is too busy sentinels find a master down that is not: a change of the master that nobody killed.
  if (Switches() - switches != static_cast<int>(rounds)) windows = {{began, Clock::now()}};
  EXPECT_THAT(load.history().Complaints(found, windows), IsEmpty());
  EXPECT_GT(probe.writes(), 0U);
  EXPECT_LE(probe.LongestWithTwo(), kLossBound);
  std::cout << "outage p50 " << Percentile(outages, 50) << " ms, p99 " << Percentile(outages, 99) << " ms; "
            << load.history().Lost(found) << " of " << load.history().counts().acknowledged
            << " acknowledged writes lost, bound " << kLossBound.count() << " s; two masters at once for "
            << probe.LongestWithTwo().count() << " ms at most (" << probe.writes() << " writes of the probe); "
            << Hastened() << " failovers by the operator\n";

  // The audit would have seen it: an entry that is taken away is missed, wherever it was written.
  found.erase(found.begin());
  EXPECT_THAT(load.history().Complaints(found), Not(IsEmpty()));
}

// A master that was stopped goes on when it has been replaced. With its guard it takes no more writes than documented;
// the probe sees what it does without, which is the control of the test above.
TEST_F(RedisFailoverTest, redis_failover_TwoMastersAreSeenWhereNothingGuardsAgainstThem) {
  StartInStep();
  if (HasFatalFailure()) return;
  const milliseconds guarded = FreezeAndGoOn(true);
  EXPECT_LE(guarded, kLossBound);
  const std::int64_t hastened = Hastened();
  EXPECT_EQ(hastened, 0) << "nothing said that it had ended";
  const milliseconds unguarded = FreezeAndGoOn(false);
  EXPECT_GT(unguarded, kLossBound);
  std::cout << "two masters at once: guarded " << guarded.count() << " ms, without min-replicas-to-write "
            << unguarded.count() << " ms\n";
}

}  // namespace
}  // namespace holdfast::local
