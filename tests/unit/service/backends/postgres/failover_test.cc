// The primary moves to another server while the backend runs.
#include <algorithm>
#include <fstream>
#include <set>

#include "service/backends/postgres/primary_choice.h"
#include "tests/unit/service/backends/postgres/cluster_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage {
namespace {

using postgres::HostAndPort;
using postgres_servers::Server;
using postgres_servers::StopMode;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(PrimaryChoice, HostsAreReadAsLibpqReadsThem) {
  using Hosts = std::vector<HostAndPort>;
  EXPECT_EQ((Hosts{{"a", "5432"}}), postgres::HostsOf("postgresql://u:p@a/db"));
  EXPECT_EQ((Hosts{{"a", "1"}, {"b", "5432"}}), postgres::HostsOf("postgres://a:1,b/db"));
  EXPECT_EQ((Hosts{{"a", "7"}, {"b", "7"}}), postgres::HostsOf("postgres:///db?host=a,b&port=7"));
  EXPECT_EQ((Hosts{{"::1", "7"}}), postgres::HostsOf("postgres://[::1]:7/db"));
  EXPECT_EQ(Hosts{}, postgres::HostsOf("postgres://a,b/db?hostaddr=1.2.3.4,1.2.3.5"));
  EXPECT_EQ(Hosts{}, postgres::HostsOf("postgres://a,b/db?no_such_word=1"));
}

TEST(PrimaryChoice, TheLastPrimaryComesFirstAndAPrimaryOfOldIsRefused) {
  const std::string url = "postgres://a:1,b:2,c:3/db";
  const HostAndPort a{"a", "1"};
  const HostAndPort b{"b", "2"};
  const HostAndPort c{"c", "3"};
  using Hosts = std::vector<HostAndPort>;
  postgres::PrimaryChoice choice;
  EXPECT_TRUE(choice.Take(a, {"7", 1}).ok());
  EXPECT_TRUE(choice.Take(b, {"7", 2}).ok());
  EXPECT_EQ((Hosts{b, a, c}), choice.Order(url));
  const auto refused = choice.Take(a, {"7", 1});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(std::string::npos, refused.error().message().find("make it a standby"));
  EXPECT_EQ((Hosts{b, c, a}), choice.Order(url));
  // As the next primary it is welcome.
  EXPECT_TRUE(choice.Take(a, {"7", 3}).ok());
  EXPECT_EQ((Hosts{a, b, c}), choice.Order(url));
  // Another cluster has timelines of its own.
  EXPECT_TRUE(choice.Take(b, {"8", 1}).ok());
}

// Two connections are opened at once, the first to a primary that the second finds replaced. Had the first to ask for
// the number afterwards, it would take itself for one that leads to the new primary.
TEST(PrimaryChoice, WhoWasTakenBeforeAChangeIsKnownByItsNumber) {
  postgres::PrimaryChoice choice;
  const std::uint64_t taken_before = choice.Take({"a", "1"}, {"7", 1}).value();
  EXPECT_EQ(taken_before, choice.changes());
  EXPECT_EQ(taken_before + 1, choice.Take({"b", "2"}, {"7", 2}).value());
  EXPECT_NE(taken_before, choice.changes());
}

class Failover : public PostgresClusterTest {
 protected:
  // Until a write is done at whoever is the primary now.
  bool WritesAgain(Backend& backend, const std::string& value) {
    return Eventually([&] { return Run(backend, Operation::Put("k", value), seconds{5}).status.ok(); });
  }
};

// Sessions outlive what default_transaction_read_only does to a server, as those of a pooler outlive a failover.
TEST_F(Failover, AWriteThatMeetsAStandbyIsDoneAtThePrimary) {
  const std::unique_ptr<Server> second = StartReplica("replica_1");
  options_.url = UrlOfBoth(*second);
  options_.min_connections = 4;
  const std::unique_ptr<Backend> backend = Open();
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "1")).status));
  ASSERT_TRUE(Eventually([&] { return backend->statistics().pool->opened >= 4; }));
  ASSERT_TRUE(second->CatchUp(primary()).ok());
  ASSERT_TRUE(second->Promote().ok());
  ASSERT_TRUE(primary().SetParameter("default_transaction_read_only", "on").ok());
  auto session = primary().Connect().value();
  ASSERT_TRUE(Eventually([&] { return session.Value("SHOW transaction_read_only").value() == "on"; }));

  EXPECT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "2")).status));
  EXPECT_EQ("2", StoredAt(*second, "k"));
  EXPECT_EQ("1", StoredAt(primary(), "k"));
  Transaction transaction;
  transaction.conditions = {{"k", Precondition::ValueIs("2")}};
  transaction.then = {Operation::Increment("k", 1)};
  const auto result = backend->Transact(transaction, Deadline::After(seconds{20}));
  ASSERT_TRUE(result.ok()) << result.error().ToString();
  EXPECT_TRUE(result->applied);
  EXPECT_EQ("3", StoredAt(*second, "k"));
}

TEST_F(Failover, ListenersFollowAndAreToldThatTheyMayHaveMissedSomething) {
  const std::unique_ptr<Server> second = StartReplica("replica_1");
  options_.url = UrlOfBoth(*second);
  const auto first_heard = std::make_shared<HeardChanges>();
  const auto second_heard = std::make_shared<HeardChanges>();
  const std::unique_ptr<Backend> one = Open(first_heard);
  const std::unique_ptr<Backend> other = Open(second_heard);
  ASSERT_EQ("ok", CodeOf(Run(*one, Operation::Put("k", "1")).status));
  ASSERT_TRUE(Eventually([&] { return second_heard->count() == 1; }));
  EXPECT_EQ(0u, first_heard->missed() + second_heard->missed());
  ASSERT_TRUE(second->CatchUp(primary()).ok());
  primary().Kill();
  ASSERT_TRUE(second->Promote().ok());
  EXPECT_TRUE(WritesAgain(*one, "2"));
  EXPECT_TRUE(Eventually([&] { return first_heard->missed() > 0 && second_heard->missed() > 0; }));
  // From there on each hears of what the other does.
  EXPECT_TRUE(Eventually([&] { return one->CheckHealth(Deadline::After(seconds{5})).ok(); }));
  EXPECT_TRUE(Eventually([&] { return other->CheckHealth(Deadline::After(seconds{5})).ok(); }));
  const std::size_t before = second_heard->count();
  EXPECT_EQ("ok", CodeOf(Run(*one, Operation::Put("k", "3")).status));
  EXPECT_TRUE(Eventually([&] { return second_heard->count() > before; }));
  EXPECT_EQ(1u, first_heard->missed());
  EXPECT_EQ(1u, second_heard->missed());
}

// What was written last had not reached the replica: the positions of the log begin again before what was heard.
TEST_F(Failover, PositionsThatGoBackAreAGap) {
  const std::unique_ptr<Server> second = StartReplica("replica_1");
  options_.url = UrlOfBoth(*second);
  const auto heard = std::make_shared<HeardChanges>();
  const std::unique_ptr<Backend> one = Open();
  const std::unique_ptr<Backend> other = Open(heard);
  ASSERT_EQ("ok", CodeOf(Run(*one, Operation::Put("k", "1")).status));
  ASSERT_TRUE(second->CatchUp(primary()).ok());
  second->Freeze();
  constexpr int kLost = 100;  // more than a sequence runs ahead in the WAL
  for (int i = 0; i < kLost; ++i) {
    ASSERT_EQ("ok", CodeOf(Run(*one, Operation::Put("lost", std::to_string(i))).status));
  }
  ASSERT_TRUE(Eventually([&] { return heard->count() == kLost + 1; }));
  primary().Kill();
  second->Thaw();
  ASSERT_TRUE(second->Promote().ok());
  EXPECT_TRUE(WritesAgain(*one, "2"));
  EXPECT_TRUE(Eventually([&] { return heard->missed() == 1; }));
  EXPECT_TRUE(Eventually([&] { return other->CheckHealth(Deadline::After(seconds{5})).ok(); }));
  EXPECT_EQ("ok", CodeOf(Run(*one, Operation::Put("found", "1")).status));
  EXPECT_TRUE(Eventually([&] { return heard->heard().count("found") == 1; }));
}

// An asynchronous standby lacks the newest writes. Its sequence stands where it stood then.
class LostWrites : public Failover {
 protected:
  // Versions that were acknowledged and are lost, and those that are given behind the failover.
  struct Versions {
    std::vector<Version> lost;
    std::vector<Version> given;
  };
  Versions Lose() {
    Versions versions;
    const std::unique_ptr<Server> second = StartReplica("replica_1");
    options_.url = UrlOfBoth(*second);
    const std::unique_ptr<Backend> backend = Open();
    EXPECT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "kept")).status));
    EXPECT_TRUE(second->CatchUp(primary()).ok());
    EXPECT_TRUE(primary().CutReplication().ok());
    // More than a sequence runs ahead in the WAL.
    for (int i = 0; i < 100; ++i) versions.lost.push_back(Run(*backend, Operation::Put("k", "lost")).version);
    primary().Kill();
    EXPECT_TRUE(second->Promote().ok());
    EXPECT_EQ("kept", StoredAt(*second, "k"));
    EXPECT_TRUE(WritesAgain(*backend, "new"));
    for (int i = 0; i < 100; ++i) versions.given.push_back(Run(*backend, Operation::Put("k", "new")).version);
    return versions;
  }
};

TEST_F(LostWrites, TheirVersionsAreNotGivenAgain) {
  const Versions versions = Lose();
  ASSERT_EQ(100u, versions.given.size());
  EXPECT_GT(versions.given.front(), versions.lost.back());
  // By as much as the migration says, at least.
  EXPECT_GE(versions.given.front() - versions.lost.front(), (Version{1} << 42) - (Version{100} << 16));
  EXPECT_TRUE(std::is_sorted(versions.given.begin(), versions.given.end()));
  EXPECT_LT(versions.given.back(), Version{1} << 62);
}

// The control: it is the lift that does it.
TEST_F(LostWrites, TheirVersionsAreGivenAgainWithoutTheLift) {
  auto session = primary().Connect(database_.name()).value();
  ASSERT_TRUE(session
                  .Execute("CREATE OR REPLACE FUNCTION holdfast.follow_history() RETURNS void LANGUAGE sql AS $$ "
                           "UPDATE holdfast.change_state SET timeline = left(pg_walfile_name(pg_current_wal_lsn()), 8) "
                           "$$")
                  .ok());
  const Versions versions = Lose();
  const std::set<Version> lost(versions.lost.begin(), versions.lost.end());
  const auto again = std::count_if(versions.given.begin(), versions.given.end(),
                                   [&](Version version) { return lost.count(version) != 0; });
  EXPECT_GT(again, 0);
}

TEST_F(Failover, APrimaryThatHangsIsLeftWithinABound) {
  const std::unique_ptr<Server> second = StartReplica("replica_1");
  options_.url = UrlOfBoth(*second);
  options_.min_connections = 4;
  options_.connect_timeout = seconds{2};
  const std::unique_ptr<Backend> backend = Open();
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "1")).status));
  ASSERT_TRUE(Eventually([&] { return backend->statistics().pool->opened >= 4; }));
  ASSERT_TRUE(second->CatchUp(primary()).ok());
  primary().Freeze();
  ASSERT_TRUE(second->Promote().ok());
  EXPECT_EQ("outcome_unknown", CodeOf(Run(*backend, Operation::Put("k", "2"), milliseconds{300}).status));
  // The four connections that stand are not waited for one after the other: the next call asks one and drops all.
  EXPECT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "3"), seconds{20}).status));
  EXPECT_EQ("3", StoredAt(*second, "k"));
  primary().Thaw();
  EXPECT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "4")).status));
  EXPECT_EQ("4", StoredAt(*second, "k"));
}

TEST_F(Failover, AnOldPrimaryIsWrittenToNeitherAsAStandbyNorAsItWas) {
  const std::unique_ptr<Server> second = StartReplica("replica_1");
  options_.url = UrlOfBoth(*second);
  const std::unique_ptr<Backend> backend = Open();
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put("k", "1")).status));
  ASSERT_TRUE(second->CatchUp(primary()).ok());
  primary().Kill();
  ASSERT_TRUE(second->Promote().ok());
  EXPECT_TRUE(WritesAgain(*backend, "2"));
  EXPECT_EQ("2", StoredAt(*second, "k"));

  // It comes back as it was, and the primary goes: rather nobody is written to.
  ASSERT_TRUE(primary().StartAgain().ok());
  ASSERT_TRUE(second->Stop(StopMode::kFast).ok());
  Status refused;
  EXPECT_TRUE(Eventually([&] {
    refused = Run(*backend, Operation::Put("k", "3"), seconds{5}).status;
    return CodeOf(refused) == "unavailable" && refused.error().message().find("of old") != std::string::npos;
  })) << CodeOf(refused);
  EXPECT_EQ("1", StoredAt(primary(), "k"));
  ASSERT_TRUE(second->StartAgain().ok());
  EXPECT_TRUE(WritesAgain(*backend, "4"));
  EXPECT_EQ("4", StoredAt(*second, "k"));

  // As a standby it is passed over by libpq.
  ASSERT_TRUE(primary().Stop(StopMode::kFast).ok());
  std::ofstream(primary().data_folder() / "standby.signal");
  ASSERT_TRUE(primary().StartAgain().ok());
  ASSERT_TRUE(second->Restart().ok());
  EXPECT_TRUE(WritesAgain(*backend, "5"));
  EXPECT_EQ("5", StoredAt(*second, "k"));
  EXPECT_EQ("1", StoredAt(primary(), "k"));
}

}  // namespace
}  // namespace holdfast::storage
