// Reads that may be old go to replicas, as long as those are not too old.
#include "tests/unit/service/backends/postgres/cluster_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage {
namespace {

using postgres_servers::Server;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ReplicaUrls, EachNamesOneServerAndNoneTwice) {
  PostgresOptions options;
  options.url = "postgresql://127.0.0.1:1/db";
  for (const std::vector<std::string>& urls :
       {std::vector<std::string>{"postgresql://a,b/db"},
        {"postgresql://a/db?hostaddr=1.2.3.4"},
        {"nonsense"},
        {"postgresql://u:secret@a:1/db", "postgresql://b/db", "postgresql://v:secret@a:1/other"}}) {
    options.replica_urls = urls;
    const auto opened = OpenPostgresBackend(options);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(ErrorCode::kInvalidArgument, opened.error().code());
    EXPECT_NE(std::string::npos, opened.error().message().find("replica_urls"));
    EXPECT_EQ(std::string::npos, opened.error().message().find("secret"));
  }
}

class Replicas : public PostgresClusterTest {
 protected:
  Replicas() {
    for (const char* name : {"replica_1", "replica_2"}) {
      replicas_.push_back(StartReplica(name));
      options_.replica_urls.push_back(replicas_.back()->Url(database_.name()));
    }
    options_.max_replication_lag = seconds{2};
    options_.max_connections = 4;
  }

  static Operation EventualGet(const std::string& key, Version min_version = 0) {
    Operation get = Operation::Get(key);
    get.consistency = Consistency::kEventual;
    get.min_version = min_version;
    return get;
  }
  static std::uint64_t InRotation(const Backend& backend) {
    std::uint64_t count = 0;
    const Statistics statistics = backend.statistics();
    for (const ReplicaStatistics& replica : statistics.reads->replicas) count += replica.in_rotation ? 1 : 0;
    return count;
  }
  std::unique_ptr<Backend> OpenWithReplicas() {
    std::unique_ptr<Backend> backend = Open();
    EXPECT_TRUE(Eventually([&] { return InRotation(*backend) == options_.replica_urls.size(); }));
    return backend;
  }
  // Of this backend, that read entries last: the server's own word for it.
  static std::string SessionsOf(const Server& server) {
    return server.Connect()
        ->Value(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast-replica' AND "
            "query LIKE '%\"holdfast\".entries%'")
        .value();
  }
  void Pause(const Server& replica) { ASSERT_TRUE(replica.Connect()->Execute("SELECT pg_wal_replay_pause()").ok()); }
  void Resume(const Server& replica) { ASSERT_TRUE(replica.Connect()->Execute("SELECT pg_wal_replay_resume()").ok()); }

  std::vector<std::unique_ptr<Server>> replicas_;
};

TEST_F(Replicas, EventualReadsGoToReplicasAndStrongOnesNever) {
  const std::unique_ptr<Backend> backend = OpenWithReplicas();
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "1")).status));
  EXPECT_EQ("1", Run(*backend, Operation::Get("k")).entry->value);
  ScanRequest scan;
  EXPECT_EQ(1u, backend->Scan(scan, Deadline::After(seconds{20}))->entries.size());
  EXPECT_EQ("0", SessionsOf(*replicas_[0]));
  EXPECT_EQ("0", SessionsOf(*replicas_[1]));
  EXPECT_EQ(2u, backend->statistics().reads->primary_reads);

  for (const auto& replica : replicas_) ASSERT_TRUE(replica->CatchUp(primary()).ok());
  for (int i = 0; i < 4; ++i) EXPECT_EQ("1", Run(*backend, EventualGet("k")).entry->value);
  scan.consistency = Consistency::kEventual;
  EXPECT_EQ(1u, backend->Scan(scan, Deadline::After(seconds{20}))->entries.size());
  const ReadStatistics reads = *backend->statistics().reads;
  EXPECT_EQ(2u, reads.primary_reads);
  EXPECT_EQ(5u, reads.replicas[0].reads + reads.replicas[1].reads);
  EXPECT_GE(reads.replicas[0].reads, 2u);
  EXPECT_GE(reads.replicas[1].reads, 2u);
  EXPECT_EQ("1", SessionsOf(*replicas_[0]));
  EXPECT_EQ("1", SessionsOf(*replicas_[1]));
  // One batch of both: each get where it belongs.
  const std::vector<Operation> both{Operation::Get("k"), EventualGet("k"), EventualGet("absent")};
  std::vector<OperationResult> results(both.size());
  backend->Execute(both, results, Deadline::After(seconds{20}));
  EXPECT_EQ("1", results[0].entry->value);
  EXPECT_EQ("1", results[1].entry->value);
  EXPECT_EQ("not_found", CodeOf(results[2].status));
  EXPECT_EQ(3u, backend->statistics().reads->primary_reads);
}

TEST_F(Replicas, APausedReplicaDropsOutAndComesBack) {
  options_.replica_urls.pop_back();
  const std::unique_ptr<Backend> backend = OpenWithReplicas();
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "1")).status));
  ASSERT_TRUE(replicas_[0]->CatchUp(primary()).ok());
  Pause(*replicas_[0]);
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "2")).status));
  // Not too old yet, and old it is.
  EXPECT_EQ("1", Run(*backend, EventualGet("k")).entry->value);
  EXPECT_TRUE(Eventually([&] { return InRotation(*backend) == 0; }));
  EXPECT_GT(backend->statistics().reads->replicas[0].lag, options_.max_replication_lag);
  EXPECT_EQ("2", Run(*backend, EventualGet("k")).entry->value);
  Resume(*replicas_[0]);
  EXPECT_TRUE(Eventually([&] { return InRotation(*backend) == 1; }));
  EXPECT_TRUE(Eventually([&] { return backend->statistics().reads->replicas[0].lag.count() == 0; }));
  const std::uint64_t before = backend->statistics().reads->replicas[0].reads;
  EXPECT_EQ("2", Run(*backend, EventualGet("k")).entry->value);
  EXPECT_EQ(before + 1, backend->statistics().reads->replicas[0].reads);
}

TEST_F(Replicas, ACallerReadsWhatItWroteWhenItSaysWhatThatWas) {
  options_.max_replication_lag = seconds{60};
  const std::unique_ptr<Backend> backend = OpenWithReplicas();
  const Version first = Run(*backend, Operation::Put("k", "1")).version;
  for (const auto& replica : replicas_) {
    ASSERT_TRUE(replica->CatchUp(primary()).ok());
    Pause(*replica);
  }
  const Version second = Run(*backend, Operation::Put("k", "2")).version;
  const Version other = Run(*backend, Operation::Put("new", "1")).version;
  EXPECT_EQ("1", Run(*backend, EventualGet("k")).entry->value);
  EXPECT_EQ("1", Run(*backend, EventualGet("k", first)).entry->value);
  EXPECT_EQ("2", Run(*backend, EventualGet("k", second)).entry->value);
  EXPECT_EQ("not_found", CodeOf(Run(*backend, EventualGet("new")).status));
  EXPECT_EQ("1", Run(*backend, EventualGet("new", other)).entry->value);
  EXPECT_EQ("2", Run(*backend, Operation::Get("k")).entry->value);
}

TEST_F(Replicas, AKilledReplicaIsPassedOverAndComesBack) {
  const std::unique_ptr<Backend> backend = OpenWithReplicas();
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "1")).status));
  for (const auto& replica : replicas_) ASSERT_TRUE(replica->CatchUp(primary()).ok());
  replicas_[0]->Kill();
  // Nobody is told of it, from the first read on.
  for (int i = 0; i < 6; ++i) EXPECT_EQ("ok", CodeOf(Run(*backend, EventualGet("k")).status));
  EXPECT_TRUE(Eventually([&] { return InRotation(*backend) == 1; }));
  replicas_[1]->Kill();
  for (int i = 0; i < 6; ++i) EXPECT_EQ("ok", CodeOf(Run(*backend, EventualGet("k")).status));
  EXPECT_TRUE(Eventually([&] { return InRotation(*backend) == 0; }));
  for (const auto& replica : replicas_) ASSERT_TRUE(replica->StartAgain().ok());
  EXPECT_TRUE(Eventually([&] { return InRotation(*backend) == 2; }));
}

TEST_F(Replicas, AReplicaThatHangsCostsItsTimeoutOnce) {
  options_.replica_urls.pop_back();
  options_.replica_timeout = milliseconds{200};
  options_.connect_timeout = seconds{2};
  const std::unique_ptr<Backend> backend = OpenWithReplicas();
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "1")).status));
  replicas_[0]->Freeze();
  EXPECT_EQ("ok", CodeOf(Run(*backend, EventualGet("k")).status));
  EXPECT_EQ(0u, InRotation(*backend));
  EXPECT_EQ("ok", CodeOf(Run(*backend, EventualGet("k")).status));
  EXPECT_EQ(0u, backend->statistics().reads->replicas[0].reads);
  replicas_[0]->Thaw();
  EXPECT_TRUE(Eventually([&] { return InRotation(*backend) == 1; }));
}

// Long after the last write a replica that has everything is as fresh as it was.
TEST_F(Replicas, AnIdlePrimaryMakesNoReplicaOld) {
  options_.max_replication_lag = milliseconds{1'000};
  const std::unique_ptr<Backend> backend = OpenWithReplicas();
  auto session = primary().Connect().value();
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "1")).status));
  const auto then = std::chrono::steady_clock::now();
  std::uint64_t looks = 0;
  std::uint64_t missing = 0;
  while (std::chrono::steady_clock::now() - then < 3 * options_.max_replication_lag) {
    ++looks;
    if (InRotation(*backend) == 0) ++missing;
  }
  // A busy machine may hold one up for once.
  EXPECT_LT(missing, looks / 2) << looks;
  EXPECT_TRUE(Eventually([&] { return InRotation(*backend) == 2; }));
}

// It was left behind on the old timeline: however far it had come, it is no replica of the new primary.
TEST_F(Replicas, AReplicaOfTheOldPrimaryIsOutAfterAFailover) {
  options_.url = UrlOfBoth(*replicas_[0]);
  const std::unique_ptr<Backend> backend = OpenWithReplicas();
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "1")).status));
  for (const auto& replica : replicas_) ASSERT_TRUE(replica->CatchUp(primary()).ok());
  primary().Kill();
  ASSERT_TRUE(replicas_[0]->Promote().ok());
  EXPECT_TRUE(Eventually([&] { return Run(*backend, Operation::Put("k", "2"), seconds{5}).status.ok(); }));
  EXPECT_TRUE(Eventually([&] {
    const std::vector<ReplicaStatistics> now = backend->statistics().reads->replicas;
    return now[0].in_rotation && !now[1].in_rotation;
  }));
  EXPECT_EQ("2", Run(*backend, EventualGet("k")).entry->value);
  ASSERT_TRUE(replicas_[1]->Follow(*replicas_[0]).ok());
  EXPECT_TRUE(Eventually([&] { return InRotation(*backend) == 2; }));
}

}  // namespace
}  // namespace holdfast::storage
