// What the server keeps for a change log: every acknowledged change once, transactions whole, across instances, readers
// and failovers; what a failover lost is told.
#include "service/backends/postgres/kept_changes.h"

#include <gmock/gmock.h>

#include "tests/unit/service/backends/history_follower.h"
#include "tests/unit/service/backends/postgres/cluster_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage {
namespace {

using std::chrono::seconds;

class KeptChangesTest : public PostgresTest {
 protected:
  std::string Value(const std::string& sql) const { return database_.Connect()->Value(sql).value(); }
};

TEST_F(KeptChangesTest, EveryChangeComesOnceInItsOrderAndTransactionsAreWhole) {
  const std::unique_ptr<Backend> one = Open();
  const std::unique_ptr<Backend> other = Open();
  ExpectEachChangeOnceInItsOrder(*one, *other, *PostgresHistoryOf(*one));
}

TEST_F(KeptChangesTest, ItIsKeptUntilItIsReleasedAndOutlivesTheProcess) {
  std::unique_ptr<Backend> backend = Open();
  Follower first(*PostgresHistoryOf(*backend));
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put(ArchivedKey("k"), "1")).status));
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Delete(ArchivedKey("k"))).status));
  const std::string position = first.position();
  backend.reset();
  options_.instance_timeout = seconds{6};  // it tidies each second
  backend = Open();
  ChangeHistory& history = *PostgresHistoryOf(*backend);
  const auto page = history.Read(position, kArchived, 1000, Soon());
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->gap, "");
  ASSERT_EQ(page->changes.size(), 2U);
  EXPECT_EQ(page->changes[0].entry->value, "1");
  EXPECT_EQ(page->changes[1].entry, nullptr);
  // Read and not released: it is told again.
  EXPECT_EQ(history.Read(position, kArchived, 1000, Soon())->changes.size(), 2U);
  EXPECT_EQ(Value("SELECT count(*) FROM holdfast.changes"), "2");
  history.Release(page->position, Soon());
  EXPECT_TRUE(Eventually([&] { return Value("SELECT count(*) FROM holdfast.changes") == "0"; }));
  EXPECT_NE(history.Read(position, kArchived, 1000, Soon())->gap, "") << "the control: it is gone";
}

TEST_F(KeptChangesTest, OneOfSeveralInstancesHasTheClaimUntilItEndsOrYields) {
  std::unique_ptr<Backend> one = Open();
  const std::unique_ptr<Backend> other = Open();
  ChangeHistory& first = *PostgresHistoryOf(*one);
  ChangeHistory& second = *PostgresHistoryOf(*other);
  const Follower begun(*PostgresHistoryOf(*one));
  ExpectOneClaims(first, second);
  one.reset();
  EXPECT_TRUE(second.Claim(kArchived, Soon()).value());
}

class KeptChangesFailover : public PostgresClusterTest {};

TEST_F(KeptChangesFailover, WhatIsThereIsReadOnAndWhatIsLostIsAGap) {
  auto second = StartReplica("replica_1");
  options_.url = UrlOfBoth(*second);
  const std::unique_ptr<Backend> backend = Open();
  Follower kept(*PostgresHistoryOf(*backend));
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put(ArchivedKey("k"), "kept")).status));
  ASSERT_TRUE(second->CatchUp(primary()).ok());
  ASSERT_TRUE(primary().CutReplication().ok());
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put(ArchivedKey("k"), "lost")).status));
  const std::string before = kept.position();
  kept.ToTheEnd(1000);
  ASSERT_EQ(kept.all().size(), 2U);
  primary().Kill();
  ASSERT_TRUE(second->Promote().ok());
  ASSERT_TRUE(
      Eventually([&] { return Run(*backend, Operation::Put(ArchivedKey("k"), "new"), seconds{5}).status.ok(); }));
  ChangeHistory& history = *PostgresHistoryOf(*backend);
  // Who had read only what outlived it goes on.
  const auto on = history.Read(before, kArchived, 1000, Soon());
  ASSERT_TRUE(on.ok()) << on.error().ToString();
  EXPECT_EQ(on->gap, "");
  std::vector<std::string> values;
  for (const KeyChange& change : on->changes) values.push_back(change.entry->value);
  ASSERT_FALSE(values.empty());
  EXPECT_EQ(values.front(), "kept");
  EXPECT_EQ(values.back(), "new");
  EXPECT_THAT(values, testing::Not(testing::Contains("lost")));
  const auto lost = history.Read(kept.position(), kArchived, 1000, Soon());
  ASSERT_TRUE(lost.ok()) << lost.error().ToString();
  EXPECT_THAT(lost->gap, testing::HasSubstr("an earlier state of it"));
}

}  // namespace
}  // namespace holdfast::storage
