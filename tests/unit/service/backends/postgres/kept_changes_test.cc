// What the server keeps for a change log: every acknowledged change once, transactions whole, across instances, readers
// and failovers; what a failover lost is told.
#include "service/backends/postgres/kept_changes.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "tests/unit/service/backends/postgres/cluster_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage {
namespace {

using std::chrono::seconds;

const std::string kPrefix("main\0", 5);

Deadline Soon() {
  return Deadline::After(seconds{30});
}
std::string Key(const std::string& name) {
  return kPrefix + name;
}

// A reader that comes back from a position that it was given, as the shipper does.
class Follower {
 public:
  explicit Follower(Backend& backend) : history_(*PostgresHistoryOf(backend)) { Step(); }

  // A page; false: there is no more at the moment.
  bool Step(std::size_t most_bytes = std::size_t{1} << 20) {
    auto page = history_.Read(position_, kPrefix, most_bytes, Soon());
    EXPECT_TRUE(page.ok()) << page.error().ToString();
    if (!page.ok()) return false;
    position_ = page->position;
    gap_ = page->gap;
    until_ = page->until;
    pages_.push_back(page->changes);
    for (const KeyChange& change : page->changes) {
      EXPECT_GE(change.at, newest_) << "pages are put in their order by the shipper, within one they are";
      newest_ = change.at;
      all_.push_back(change);
    }
    newest_ = Timestamp{};
    return !page->complete;
  }
  void ToTheEnd(std::size_t most_bytes) {
    while (Step(most_bytes)) {
    }
  }
  void Release() { history_.Release(position_, Soon()); }

  const std::vector<KeyChange>& all() const { return all_; }
  const std::vector<std::vector<KeyChange>>& pages() const { return pages_; }
  const std::string& gap() const { return gap_; }
  const std::string& position() const { return position_; }
  Timestamp until() const { return until_; }

 private:
  ChangeHistory& history_;
  std::string position_;
  std::string gap_;
  Timestamp until_{};
  Timestamp newest_{};
  std::vector<KeyChange> all_;
  std::vector<std::vector<KeyChange>> pages_;
};

class KeptChangesTest : public PostgresTest {
 protected:
  std::string Value(const std::string& sql) const { return database_.Connect()->Value(sql).value(); }
};

TEST_F(KeptChangesTest, EveryChangeComesOnceInItsOrderAndTransactionsAreWhole) {
  const std::unique_ptr<Backend> one = Open();
  const std::unique_ptr<Backend> other = Open();
  Follower follower(*one);
  constexpr int kWrites = 60;
  std::atomic<int> writing{4};
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([&, w] {
      Backend& backend = w % 2 == 0 ? *one : *other;
      for (int i = 0; i < kWrites; ++i) {
        Transaction transaction;
        const std::string value = std::to_string(w) + "-" + std::to_string(i);
        transaction.then = {Operation::Put(Key("a"), value), Operation::Put(Key("b"), value),
                            Operation::Put("elsewhere", value)};
        EXPECT_TRUE(backend.Transact(transaction, Soon()).ok());
        EXPECT_EQ("ok", CodeOf(Run(backend, Operation::Put(Key("own" + std::to_string(w)), value)).status));
      }
      --writing;
    });
  }
  // Small pages, and places to read on from that are let go of, while others write.
  while (writing > 0) {
    follower.Step(20);
    follower.Release();
  }
  for (std::thread& writer : writers) writer.join();
  follower.ToTheEnd(20);

  std::map<std::string, std::vector<std::string>> values;
  std::map<std::string, Version> versions;
  for (const KeyChange& change : follower.all()) {
    ASSERT_TRUE(change.entry);
    EXPECT_GT(change.entry->version, versions[change.key]) << "changes of a key are in their order";
    versions[change.key] = change.entry->version;
    values[change.key].push_back(change.entry->value);
  }
  EXPECT_EQ(values[Key("a")].size(), 4U * kWrites);
  EXPECT_EQ(values[Key("a")], values[Key("b")]);
  for (int w = 0; w < 4; ++w) EXPECT_EQ(values[Key("own" + std::to_string(w))].size(), std::size_t{kWrites});
  EXPECT_EQ(values.size(), 6U);
  EXPECT_GT(follower.pages().size(), 10U);
  for (const auto& page : follower.pages()) {
    std::map<std::string, std::vector<std::pair<std::string, Timestamp>>> pairs;
    for (const KeyChange& change : page) pairs[change.key].emplace_back(change.entry->value, change.at);
    EXPECT_EQ(pairs[Key("a")], pairs[Key("b")]) << "a transaction was cut, or has two times";
  }
  EXPECT_EQ(Run(*one, Operation::Get(Key("a"))).entry->value, values[Key("a")].back());
}

TEST_F(KeptChangesTest, ItIsKeptUntilItIsReleasedAndOutlivesTheProcess) {
  std::unique_ptr<Backend> backend = Open();
  Follower first(*backend);
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put(Key("k"), "1")).status));
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Delete(Key("k"))).status));
  const std::string position = first.position();
  backend.reset();
  options_.instance_timeout = seconds{6};  // it tidies each second
  backend = Open();
  ChangeHistory& history = *PostgresHistoryOf(*backend);
  const auto page = history.Read(position, kPrefix, 1000, Soon());
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->gap, "");
  ASSERT_EQ(page->changes.size(), 2U);
  EXPECT_EQ(page->changes[0].entry->value, "1");
  EXPECT_EQ(page->changes[1].entry, nullptr);
  // Read and not released: it is told again.
  EXPECT_EQ(history.Read(position, kPrefix, 1000, Soon())->changes.size(), 2U);
  EXPECT_EQ(Value("SELECT count(*) FROM holdfast.changes"), "2");
  history.Release(page->position, Soon());
  EXPECT_TRUE(Eventually([&] { return Value("SELECT count(*) FROM holdfast.changes") == "0"; }));
  EXPECT_NE(history.Read(position, kPrefix, 1000, Soon())->gap, "") << "the control: it is gone";
}

TEST_F(KeptChangesTest, OneOfSeveralInstancesHasTheClaimUntilItEndsOrYields) {
  std::unique_ptr<Backend> one = Open();
  const std::unique_ptr<Backend> other = Open();
  ChangeHistory& first = *PostgresHistoryOf(*one);
  ChangeHistory& second = *PostgresHistoryOf(*other);
  const Follower begun(*one);
  EXPECT_TRUE(first.Claim(kPrefix, Soon()).value());
  EXPECT_FALSE(second.Claim(kPrefix, Soon()).value());
  EXPECT_TRUE(first.Claim(kPrefix, Soon()).value());
  first.Yield(kPrefix, Soon());
  EXPECT_TRUE(second.Claim(kPrefix, Soon()).value());
  second.Yield(kPrefix, Soon());
  EXPECT_TRUE(first.Claim(kPrefix, Soon()).value());
  one.reset();
  EXPECT_TRUE(second.Claim(kPrefix, Soon()).value());
}

class KeptChangesFailover : public PostgresClusterTest {};

TEST_F(KeptChangesFailover, WhatIsThereIsReadOnAndWhatIsLostIsAGap) {
  auto second = StartReplica("replica_1");
  options_.url = UrlOfBoth(*second);
  const std::unique_ptr<Backend> backend = Open();
  Follower kept(*backend);
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put(Key("k"), "kept")).status));
  ASSERT_TRUE(second->CatchUp(primary()).ok());
  ASSERT_TRUE(primary().CutReplication().ok());
  ASSERT_EQ("ok", CodeOf(Run(*backend, Operation::Put(Key("k"), "lost")).status));
  const std::string before = kept.position();
  kept.ToTheEnd(1000);
  ASSERT_EQ(kept.all().size(), 2U);
  primary().Kill();
  ASSERT_TRUE(second->Promote().ok());
  ASSERT_TRUE(Eventually([&] { return Run(*backend, Operation::Put(Key("k"), "new"), seconds{5}).status.ok(); }));
  ChangeHistory& history = *PostgresHistoryOf(*backend);
  // Who had read only what outlived it goes on.
  const auto on = history.Read(before, kPrefix, 1000, Soon());
  ASSERT_TRUE(on.ok()) << on.error().ToString();
  EXPECT_EQ(on->gap, "");
  std::vector<std::string> values;
  for (const KeyChange& change : on->changes) values.push_back(change.entry->value);
  ASSERT_FALSE(values.empty());
  EXPECT_EQ(values.front(), "kept");
  EXPECT_EQ(values.back(), "new");
  EXPECT_THAT(values, testing::Not(testing::Contains("lost")));
  const auto lost = history.Read(kept.position(), kPrefix, 1000, Soon());
  ASSERT_TRUE(lost.ok()) << lost.error().ToString();
  EXPECT_THAT(lost->gap, testing::HasSubstr("an earlier state of it"));
}

}  // namespace
}  // namespace holdfast::storage
