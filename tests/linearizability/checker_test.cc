// The checker on histories of a few lines whose answer is known.
#include "tests/linearizability/checker.h"

#include <gtest/gtest.h>

namespace holdfast::linearizability {
namespace {

using storage::Operation;
using storage::Precondition;

Call Made(Operation operation, Outcome outcome, std::uint64_t invoked, std::uint64_t returned) {
  Call call = Call::Single(std::move(operation));
  call.outcomes = {std::move(outcome)};
  call.invoked = invoked;
  call.returned = returned;
  return call;
}
Call Put(const std::string& value, storage::Version version, std::uint64_t invoked, std::uint64_t returned) {
  return Made(Operation::Put("k", value), {"ok", {}, version, {}, {}}, invoked, returned);
}
Call Get(const std::string& value, storage::Version version, std::uint64_t invoked, std::uint64_t returned) {
  return Made(Operation::Get("k"), {"ok", value, version, {}, {}}, invoked, returned);
}
Call GetNothing(std::uint64_t invoked, std::uint64_t returned) {
  return Made(Operation::Get("k"), {"not_found", {}, {}, {}, {}}, invoked, returned);
}

TEST(Checker, OneAfterTheOther) {
  EXPECT_TRUE(Check({}).linearizable);
  EXPECT_TRUE(Check({GetNothing(1, 2), Put("1", 7, 3, 4), Get("1", 7, 5, 6)}).linearizable);
}

TEST(Checker, AReadBesideAWriteMaySeeEither) {
  EXPECT_TRUE(Check({Put("1", 7, 1, 4), GetNothing(2, 3)}).linearizable);
  EXPECT_TRUE(Check({Put("1", 7, 1, 4), Get("1", 7, 2, 3)}).linearizable);
}

TEST(Checker, AReadBehindAWriteMustSeeIt) {
  const Verdict verdict = Check({Put("1", 7, 1, 2), GetNothing(3, 4)});
  EXPECT_FALSE(verdict.linearizable);
  EXPECT_NE(verdict.explanation.find("get k -> not_found"), std::string::npos) << verdict.explanation;
}

TEST(Checker, WhatOneReaderSawNoLaterReaderMayMiss) {
  EXPECT_TRUE(Check({Put("1", 7, 1, 10), GetNothing(2, 3), Get("1", 7, 4, 5)}).linearizable);
  EXPECT_FALSE(Check({Put("1", 7, 1, 10), Get("1", 7, 2, 3), GetNothing(4, 5)}).linearizable);
}

// The order in which calls are made is not the order that fits; the search has to come back to it.
TEST(Checker, FindsAnOrderAgainstTheOrderOfCalls) {
  EXPECT_TRUE(Check({Put("1", 9, 1, 20), Put("2", 8, 2, 21), Put("3", 7, 3, 22), Get("1", 9, 23, 24)}).linearizable);
  EXPECT_FALSE(Check({Put("1", 9, 1, 20), Put("2", 8, 2, 21), Put("3", 7, 3, 22), Get("2", 8, 23, 24)}).linearizable);
}

TEST(Checker, OfTwoSwapsFromOneVersionOneFails) {
  const Operation swap = Operation::Put("k", "2", Precondition::VersionIs(7));
  const Operation other = Operation::Put("k", "3", Precondition::VersionIs(7));
  EXPECT_TRUE(Check({Put("1", 7, 1, 2), Made(swap, {"ok", {}, 8, {}, {}}, 3, 6),
                     Made(other, {"version_conflict", {}, 8, {}, {}}, 4, 5)})
                  .linearizable);
  EXPECT_FALSE(
      Check({Put("1", 7, 1, 2), Made(swap, {"ok", {}, 8, {}, {}}, 3, 6), Made(other, {"ok", {}, 9, {}, {}}, 4, 5)})
          .linearizable);
}

TEST(Checker, TwoTakesOfOneValue) {
  const auto take = [](std::uint64_t invoked, std::uint64_t returned) {
    return Made(Operation::Take("k"), {"ok", "1", 7, {}, {}}, invoked, returned);
  };
  EXPECT_TRUE(Check({Put("1", 7, 1, 2), take(3, 6)}).linearizable);
  EXPECT_FALSE(Check({Put("1", 7, 1, 2), take(3, 6), take(4, 5)}).linearizable);
}

TEST(Checker, AVersionThatComesBack) {
  const Call remove = Made(Operation::Delete("k"), {"ok", {}, {}, true, {}}, 3, 4);
  EXPECT_TRUE(Check({Put("1", 7, 1, 2), remove, Put("2", 8, 5, 6)}).linearizable);
  EXPECT_FALSE(Check({Put("1", 7, 1, 2), remove, Put("2", 7, 5, 6)}).linearizable);
}

TEST(Checker, ALostIncrement) {
  const auto increment = [](std::int64_t number, storage::Version version, std::uint64_t at) {
    return Made(Operation::Increment("k", 1), {"ok", {}, version, {}, number}, at, at + 10);
  };
  EXPECT_TRUE(Check({increment(2, 8, 1), increment(1, 7, 2)}).linearizable);
  EXPECT_FALSE(Check({increment(1, 8, 1), increment(1, 7, 2)}).linearizable);
}

// Each key by itself could be read so; both at once could not.
TEST(Checker, HalfATransactionSeen) {
  Call write;
  write.single = false;
  write.transaction.then = {Operation::Put("a", "1"), Operation::Put("b", "1")};
  write.outcomes = {{"ok", {}, 7, {}, {}}, {"ok", {}, 8, {}, {}}};
  write.invoked = 1;
  write.returned = 10;
  Call read = write;
  read.transaction.then = {Operation::Get("a"), Operation::Get("b")};
  read.invoked = 2;
  read.returned = 9;
  read.outcomes = {{"ok", "1", 7, {}, {}}, {"ok", "1", 8, {}, {}}};
  EXPECT_TRUE(Check({write, read}).linearizable);
  read.outcomes[1] = {"not_found", {}, {}, {}, {}};
  EXPECT_FALSE(Check({write, read}).linearizable);
}

TEST(Checker, AnErrorFitsNoState) {
  EXPECT_FALSE(Check({Made(Operation::Get("k"), {"unavailable", {}, {}, {}, {}}, 1, 2)}).linearizable);
}

}  // namespace
}  // namespace holdfast::linearizability
