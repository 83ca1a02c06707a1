#include "service/coordination/change_feed.h"

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "tests/unit/service/coordination/coordination_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::coordination {
namespace {

using std::chrono::seconds;
using storage::Expiry;
using storage::Operation;

constexpr std::size_t kMany = 1'000'000;

class ChangeFeedTest : public CoordinationTest {
 protected:
  void SetUp() override {
    CoordinationTest::SetUp();
    Use({});
  }
  void TearDown() override { feed_->Stop(); }
  void Use(const FeedOptions& options) {
    feed_ = std::make_shared<ChangeFeed>(options, "main", clock());
    Listen(feed_);
  }
  std::unique_ptr<FeedSubscription> Watch(
      const std::string& prefix, std::optional<Position> since = std::nullopt, std::function<void()> wake = [] {}) {
    return feed_->Subscribe(tenant().key_space.Wrap(prefix), since, std::move(wake));
  }
  std::string Line(const ChangeEvent& event) {
    constexpr std::string_view kNames[] = {"put ", "delete ", "expire ", "evict "};
    std::string line(kNames[static_cast<std::size_t>(event.kind)]);
    line.append(tenant().key_space.Unwrap(event.key));
    if (event.entry != nullptr) line.append("=").append(event.entry->value);
    return line;
  }
  // Everything there is, as lines.
  std::vector<std::string> ReadAll(FeedSubscription& watcher) {
    std::vector<std::string> lines;
    for (bool more = true; more;) {
      const auto page = watcher.Read(kMany, kMany);
      if (page.compacted) lines.push_back("compacted");
      for (const ChangeEventPtr& event : page.events) lines.push_back(Line(*event));
      more = page.more;
    }
    return lines;
  }

  std::shared_ptr<ChangeFeed> feed_;
};

using Lines = std::vector<std::string>;

TEST_P(ChangeFeedTest, TellsOfPutsAndDeletesInTheirOrder) {
  Put("before", "not seen");
  const auto watcher = Watch("");
  Put("a", "1");
  Put("a", "2");
  Delete("a");
  Delete("a");
  Put("b", "3");
  EXPECT_EQ(ReadAll(*watcher), (Lines{"put a=1", "put a=2", "delete a", "put b=3"}));
  EXPECT_EQ(ReadAll(*watcher), Lines{});
}

TEST_P(ChangeFeedTest, WhatTheBackendHasMissedIsToldAsCompacted) {
  std::atomic<int> woken{0};
  const auto watcher = Watch("", std::nullopt, [&woken] { ++woken; });
  const Position before = feed_->head();
  EXPECT_EQ(ReadAll(*watcher), Lines{});
  feed_->OnMissed();
  while (woken == 0) std::this_thread::yield();
  Put("a", "1");
  EXPECT_EQ(ReadAll(*watcher), Lines{"compacted"});
  Put("a", "2");
  EXPECT_EQ(ReadAll(*watcher), Lines{"put a=2"});
  EXPECT_EQ(ReadAll(*Watch("", before)), Lines{"compacted"});
}

TEST_P(ChangeFeedTest, TellsOnlyOfThePrefixTheTenantAndTheStore) {
  const auto watcher = Watch("a/");
  const auto all = Watch("");
  Put("a/1", "x");
  Put("a", "x");
  Put("b/1", "x");
  Put(std::string("a/\0", 3), "x");
  storage::ExecuteOne(*tenant("other").keys, Operation::Put("a/2", "x"), Deadline::Infinite());
  storage::ExecuteOne(rooms(), Operation::Put("la/3", "a lock's row"), Deadline::Infinite());
  const auto key = [&](const std::string& store) {
    return storage::KeySpace(store, "default").In(storage::Room::kKeys);
  };
  storage::ExecuteOne(backend(), Operation::Put(key("mainly").Wrap("a/4"), "x"), Deadline::Infinite());
  EXPECT_EQ(ReadAll(*watcher), (Lines{"put a/1=x", std::string("put a/\0=x", 9)}));
  EXPECT_EQ(ReadAll(*all).size(), 4u);
}

TEST_P(ChangeFeedTest, ATouchIsAPutOfTheSameVersion) {
  const auto version = Put("a", "1").version;
  const auto watcher = Watch("");
  storage::ExecuteOne(keys(), Operation::Touch("a", Expiry::After(seconds{5})), Deadline::Infinite());
  const auto page = watcher->Read(kMany, kMany);
  ASSERT_EQ(page.events.size(), 1u);
  EXPECT_EQ(page.events[0]->version, version);
  EXPECT_EQ(page.events[0]->entry->expires_at, clock().Now() + seconds{5});
}

TEST_P(ChangeFeedTest, TellsOfExpiry) {
  const auto watcher = Watch("");
  const auto version = Put("a", "1", Expiry::After(seconds{5})).version;
  EXPECT_EQ(ReadAll(*watcher), Lines{"put a=1"});
  clock().Advance(seconds{5});
  FeedSubscription::Page page;
  ASSERT_TRUE(Eventually([&] {
    page = watcher->Read(kMany, kMany);
    return !page.events.empty();
  }));
  ASSERT_EQ(page.events.size(), 1u);
  EXPECT_EQ(Line(*page.events[0]), "expire a");
  EXPECT_EQ(page.events[0]->version, version);
}

TEST_P(ChangeFeedTest, AnExpiredEntryThatIsOverwrittenExpiresFirst) {
  const auto watcher = Watch("");
  Put("a", "1", Expiry::After(seconds{5}));
  clock().Advance(seconds{6});
  Put("a", "2");  // the sweeper may have been faster: the events are the same
  EXPECT_EQ(ReadAll(*watcher), (Lines{"put a=1", "expire a", "put a=2"}));
}

TEST_P(ChangeFeedTest, ResumesBehindAPosition) {
  const auto first = Watch("");
  Put("a", "1");
  Put("b", "2");
  Put("a", "3");
  const auto page = first->Read(2, kMany);
  ASSERT_EQ(page.events.size(), 2u);
  EXPECT_TRUE(page.more);
  EXPECT_EQ(page.position, page.events[1]->position);
  EXPECT_EQ(ReadAll(*Watch("", page.position)), Lines{"put a=3"});
  EXPECT_EQ(ReadAll(*Watch("", page.events[0]->position)), (Lines{"put b=2", "put a=3"}));
  EXPECT_EQ(ReadAll(*Watch("", feed_->head())), Lines{});
}

TEST_P(ChangeFeedTest, PositionsThatAreNotItsOwnAreToldApart) {
  const auto keeps_recording = Watch("");
  const Position start = feed_->head();
  Put("a", "1");
  EXPECT_EQ(ReadAll(*Watch("", start)), Lines{"put a=1"});
  EXPECT_EQ(ReadAll(*Watch("", start - 1)), Lines{"compacted"});
  EXPECT_EQ(ReadAll(*Watch("", 0)), Lines{"compacted"});
  EXPECT_EQ(ReadAll(*Watch("", feed_->head() + 1)), Lines{"compacted"});
  EXPECT_EQ(ReadAll(*Watch("", ~Position{0})), Lines{"compacted"});
}

TEST_P(ChangeFeedTest, PositionsDoNotGoBackAcrossARestart) {
  const auto watcher = Watch("");
  Put("a", "1");
  const Position before = feed_->head();
  clock().Advance(std::chrono::microseconds{1});
  const ChangeFeed later({}, "main", clock());
  EXPECT_GT(later.head(), before);
}

TEST_P(ChangeFeedTest, ASlowWatcherFallsOffAndGoesOnFromNow) {
  feed_->Stop();
  Use({.max_events = 10, .max_bytes = kMany});
  const auto slow = Watch("");
  for (int i = 0; i < 10; ++i) Put("a", std::to_string(i));
  EXPECT_EQ(slow->Read(1, kMany).events.size(), 1u);
  Put("a", "10");
  Put("a", "11");
  const auto page = slow->Read(kMany, kMany);
  EXPECT_TRUE(page.compacted);
  EXPECT_TRUE(page.events.empty());
  EXPECT_EQ(page.position, feed_->head());
  Put("a", "12");
  EXPECT_EQ(ReadAll(*slow), Lines{"put a=12"});
}

TEST_P(ChangeFeedTest, HistoryIsBoundedByBytes) {
  feed_->Stop();
  Use({.max_events = kMany, .max_bytes = 10'000});
  const auto slow = Watch("");
  for (int i = 0; i < 4; ++i) Put("a", std::string(3'000, 'x'));
  EXPECT_TRUE(slow->Read(kMany, kMany).compacted);
  Put("a", std::string(20'000, 'x'));  // alone larger than the history
  EXPECT_EQ(ReadAll(*slow).size(), 1u);
}

// Nothing of theirs happened, however much else did: they have missed nothing.
TEST_P(ChangeFeedTest, AWatcherOfAQuietPrefixDoesNotFallOff) {
  feed_->Stop();
  Use({.max_events = 10, .max_bytes = kMany});
  std::atomic<int> wakes{0};
  const auto quiet = Watch("quiet/", std::nullopt, [&] { ++wakes; });
  EXPECT_EQ(ReadAll(*quiet), Lines{});
  for (int i = 0; i < 1'000; ++i) {
    Put("loud", std::to_string(i));
    // The feed must not be overrun: then it could not tell.
    if (i % 5 == 4) {
      std::atomic<bool> woken{false};
      const auto waits = Watch("probe", std::nullopt, [&] { woken = true; });
      ReadAll(*waits);
      Put("probe", "x");
      ASSERT_TRUE(Eventually([&] { return woken.load(); }));
    }
  }
  EXPECT_EQ(wakes, 0);
  Put("quiet/a", "1");
  ASSERT_TRUE(Eventually([&] { return wakes == 1; }));
  EXPECT_EQ(ReadAll(*quiet), Lines{"put quiet/a=1"});
  EXPECT_EQ(wakes, 1);
}

TEST_P(ChangeFeedTest, WakesOnlyThoseWhosePrefixChanged) {
  constexpr int kWatchers = 1'000;
  std::vector<std::atomic<int>> wakes(kWatchers);
  std::vector<std::unique_ptr<FeedSubscription>> watchers;
  for (int i = 0; i < kWatchers; ++i) {
    const std::string prefix = i % 2 == 0 ? "even/" : "odd/" + std::to_string(i) + "/";
    watchers.push_back(Watch(prefix, std::nullopt, [&wakes, i] { ++wakes[static_cast<std::size_t>(i)]; }));
    EXPECT_EQ(ReadAll(*watchers.back()), Lines{});
  }
  Put("even/a", "1");
  Put("odd/7/a", "2");
  const auto sum = [&](int from) {
    int all = 0;
    for (int i = from; i < kWatchers; i += 2) all += wakes[static_cast<std::size_t>(i)];
    return all;
  };
  ASSERT_TRUE(Eventually([&] { return sum(0) == kWatchers / 2 && sum(1) == 1; }));
  EXPECT_EQ(wakes[7], 1);
  for (int i = 0; i < kWatchers; i += 2) {
    EXPECT_EQ(ReadAll(*watchers[static_cast<std::size_t>(i)]), Lines{"put even/a=1"});
  }
  EXPECT_EQ(ReadAll(*watchers[7]), Lines{"put odd/7/a=2"});
  EXPECT_EQ(ReadAll(*watchers[9]), Lines{});
}

// What a watcher rebuilds from the events is what stands in the store, however often it stops, goes away and resumes,
// while others write. No event comes twice and none is left out.
TEST_P(ChangeFeedTest, PropertyAResumingWatcherRebuildsTheStore) {
  const char* const text = std::getenv("HOLDFAST_SEED");
  const auto seed = static_cast<std::uint32_t>(text != nullptr ? std::strtoul(text, nullptr, 10) : 1);
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  constexpr int kWriters = 3;
  constexpr int kWritesEach = 4'000;
  std::map<std::string, std::pair<storage::Version, std::string>> rebuilt;
  std::set<Position> seen;
  auto watcher = Watch("k");
  Position position = feed_->head();
  const Position start = position;

  storage::Backend& writable = keys();
  std::atomic<int> running{kWriters};
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([this, w, seed, &running, &writable] {
      std::mt19937 random(seed * 31 + static_cast<std::uint32_t>(w));
      for (int i = 0; i < kWritesEach; ++i) {
        const std::string key = "k" + std::to_string(random() % 50);
        const auto choice = random() % 10;
        Operation operation = choice < 7 ? Operation::Put(key, std::to_string(random()))
                              : choice < 8
                                  ? Operation::Put(key, "short", {}, Expiry::After(std::chrono::milliseconds{5}))
                                  : Operation::Delete(key);
        storage::ExecuteOne(writable, operation, Deadline::Infinite());
        if (i % 500 == 0) clock().Advance(std::chrono::milliseconds{3});
      }
      --running;
    });
  }
  std::mt19937 random(seed);
  const auto step = [&] {
    if (random() % 8 == 0) watcher = Watch("k", position);
    const auto page = watcher->Read(1 + random() % 40, kMany);
    EXPECT_FALSE(page.compacted);
    for (const ChangeEventPtr& event : page.events) {
      EXPECT_GT(event->position, position);
      EXPECT_TRUE(seen.insert(event->position).second);
      const std::string key(tenant().key_space.Unwrap(event->key));
      if (event->kind == ChangeEvent::Kind::kPut) {
        rebuilt[key] = {event->version, event->entry->value};
      } else {
        EXPECT_EQ(rebuilt[key].first, event->version);
        rebuilt.erase(key);
      }
    }
    EXPECT_GE(page.position, position);
    position = page.position;
    return page.more;
  };
  while (running > 0) step();
  for (std::thread& writer : writers) writer.join();
  // Whatever still has to expire does, and is swept.
  clock().Advance(seconds{1});
  const auto count = [&] { return *keys().Count(storage::KeyRange::All(), Deadline::Infinite()); };
  ASSERT_TRUE(Eventually([&] {
    while (step()) {
    }
    return rebuilt.size() == count();
  }));
  const auto page = keys().Scan(storage::ScanRequest(), Deadline::Infinite());
  ASSERT_TRUE(page.ok());
  std::map<std::string, std::pair<storage::Version, std::string>> standing;
  for (const auto& row : page->entries) standing[row.key] = {row.entry->version, row.entry->value};
  EXPECT_EQ(rebuilt, standing);
  // Positions are numbered without gaps, and every one of them was a key of ours.
  EXPECT_EQ(seen.size(), position - start);
}

INSTANTIATE_TEST_SUITE_P(Backends, ChangeFeedTest, OnEveryBackend(), BackendName);

}  // namespace
}  // namespace holdfast::coordination
