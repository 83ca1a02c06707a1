#include <thread>

#include "tests/conformance/suite.h"

namespace holdfast::storage::conformance {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST_P(Conformance, AnEntryExpiresAtItsInstantAndNotBefore) {
  both().Execute(Operation::Put("k", "1", {}, Expiry::After(seconds{10})));
  clock().Advance(seconds{10} - microseconds{1});
  EXPECT_EQ("ok", CodeName(both().Execute(Operation::Get("k")).status));
  clock().Advance(microseconds{1});
  EXPECT_EQ("not_found", CodeName(both().Execute(Operation::Get("k")).status));
}

TEST_P(Conformance, AnExpiredEntryIsAbsentForEveryCall) {
  const auto expire = [&] {
    both().Execute(Operation::Put("k", "1", {}, Expiry::After(seconds{1})));
    clock().Advance(seconds{1});
  };
  expire();
  both().ScanAll(KeyRange::All(), 10);
  expire();
  EXPECT_EQ("not_found", CodeName(both().Execute(Operation::Take("k")).status));
  expire();
  EXPECT_EQ("not_found", CodeName(both().Execute(Operation::Touch("k", Expiry::Never())).status));
  expire();
  EXPECT_FALSE(both().Execute(Operation::Delete("k")).existed);
  expire();
  EXPECT_EQ(3, both().Execute(Operation::Increment("k", 3)).number);
  expire();
  both().DeleteRange(KeyRange::All());
  expire();
  EXPECT_EQ("ok", CodeName(both().Execute(Operation::Put("k", "2", Precondition::Absent())).status));
  EXPECT_EQ(clock().Now(), both().Execute(Operation::Get("k")).entry->created_at);
}

TEST_P(Conformance, ARewriteKeepsAnExpiryOnlyWhenTold) {
  both().Execute(Operation::Put("k", "1", {}, Expiry::After(seconds{10})));
  clock().Advance(seconds{1});
  const OperationResult kept = both().Execute(Operation::Put("k", "2", {}, Expiry::Keep()));
  EXPECT_EQ(clock().Now() + seconds{9}, kept.expires_at);
  EXPECT_FALSE(both().Execute(Operation::Put("k", "3")).expires_at);
  both().Execute(Operation::Put("fresh", "1", {}, Expiry::Keep()));
  EXPECT_FALSE(both().Execute(Operation::Get("fresh")).entry->expires_at);
}

TEST_P(Conformance, TimesToLiveOutOfRangeAreRefused) {
  for (const microseconds after : {microseconds{0}, microseconds{-1}, microseconds{microseconds::min()},
                                   microseconds{kMaxTtl} + microseconds{1}, microseconds{microseconds::max()}}) {
    EXPECT_EQ("invalid_argument", CodeName(Run(Operation::Put("k", "1", {}, Expiry::After(after))).status));
    EXPECT_EQ("invalid_argument", CodeName(Run(Operation::Touch("k", Expiry::After(after))).status));
    EXPECT_EQ("invalid_argument", CodeName(Run(Operation::Increment("k", 1, {}, Expiry::After(after))).status));
  }
  EXPECT_EQ("ok", CodeName(both().Execute(Operation::Put("k", "1", {}, Expiry::After(kMaxTtl))).status));
  both().Execute(Operation::Put("k", "1", {}, Expiry::After(microseconds{1})));
}

TEST_P(Conformance, WhatHasExpiredIsRemovedWithoutBeingAskedFor) {
  for (int i = 0; i < 100; ++i) {
    both().Execute(Operation::Put("short" + std::to_string(i), "1", {}, Expiry::After(seconds{1})));
    both().Execute(Operation::Put("long" + std::to_string(i), "1", {}, Expiry::After(seconds{100})));
    both().Execute(Operation::Put("extended" + std::to_string(i), "1", {}, Expiry::After(seconds{1})));
    both().Execute(Operation::Touch("extended" + std::to_string(i), Expiry::After(seconds{100})));
    both().Execute(Operation::Put("for ever" + std::to_string(i), "1"));
  }
  clock().Advance(seconds{2});
  const Deadline patience = Deadline::After(seconds{60});
  while (backend().statistics().expired_removed < 100 && !patience.Expired()) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  EXPECT_EQ(100u, backend().statistics().expired_removed);
  both().ReadAll();
  both().ScanAll(KeyRange::All(), 1000);
}

TEST_P(Conformance, AClockSetBackOrForwardDecidesByWhatItShows) {
  const Timestamp start = clock().Now();
  clock().JumpTo(start + seconds{3600});
  both().Execute(Operation::Put("later", "1", {}, Expiry::After(seconds{10})));
  clock().JumpTo(start);
  EXPECT_EQ("ok", CodeName(both().Execute(Operation::Get("later")).status));
  both().Execute(Operation::Put("now", "1", {}, Expiry::After(seconds{10})));
  clock().Advance(seconds{10});
  EXPECT_EQ("not_found", CodeName(both().Execute(Operation::Get("now")).status));
  const Deadline patience = Deadline::After(seconds{60});
  while (backend().statistics().expired_removed < 1 && !patience.Expired()) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  EXPECT_EQ(1u, backend().statistics().expired_removed) << "the sweeper overlooks rows from before the jump";
}

}  // namespace
}  // namespace holdfast::storage::conformance
