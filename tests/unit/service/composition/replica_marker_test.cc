#include "service/composition/replica_marker.h"

#include <gtest/gtest.h>

namespace holdfast::composition {
namespace {

SeenMarker At(std::uint64_t term, std::uint64_t sequence, std::uint64_t promised = 0) {
  return SeenMarker(ReplicaMarker{std::max(promised, term), term, sequence, 0, true});
}
const SeenMarker kNotSeen = std::nullopt;
const SeenMarker kEmpty = SeenMarker(std::optional<ReplicaMarker>());
SeenMarker Half(SeenMarker marker) {
  (*marker)->complete = false;
  return marker;
}

// The replica that a term begins from, or -1 where none may begin.
int SourceOf(const std::vector<SeenMarker>& seen, ReplicaQuorums quorums = {}) {
  quorums.replicas = seen.size();
  const auto plan = PlanTerm(seen, quorums);
  return plan.ok() ? static_cast<int>(plan->source) : -1;
}

TEST(ReplicaMarker, WhatIsWrittenIsRead) {
  const ReplicaMarker marker{7, 6, 5, 18'000'000'000'000'000'000u, false};
  EXPECT_EQ(marker, ReplicaMarker::Decode(marker.Encode()));
  for (const char* damaged : {"", "1", "2 1 1 1 1 1", "1 7 6 5 4", "1 7 6 5 4 1 9", "1 7 6 x 4 1", "1 7 6 5 4 1 "}) {
    EXPECT_FALSE(ReplicaMarker::Decode(damaged)) << damaged;
  }
}

TEST(ReplicaTerm, BeginsWithWhatTwoOfThreeHave) {
  EXPECT_EQ(0, SourceOf({At(1, 9), At(1, 9), At(1, 8)}));
  // Only one has batch 9, so nobody was told of it.
  EXPECT_EQ(1, SourceOf({At(1, 9), At(1, 8), At(1, 8)}));
  // One is not seen and may have it too.
  EXPECT_EQ(0, SourceOf({At(1, 9), At(1, 8), kNotSeen}));
  EXPECT_EQ(2, SourceOf({kNotSeen, At(1, 8), At(1, 9)}));
}

TEST(ReplicaTerm, ANewerTermIsWorthMoreThanALongerOne) {
  EXPECT_EQ(1, SourceOf({At(1, 50), At(2, 9), kNotSeen}));
  EXPECT_EQ(1, SourceOf({At(1, 50), At(2, 9), At(2, 9)}));
}

TEST(ReplicaTerm, IsAboveEveryTermThatWasPromised) {
  const std::vector<SeenMarker> seen = {At(2, 9, 6), At(2, 9, 4), At(2, 9, 3)};
  EXPECT_EQ(7u, PlanTerm(seen, {})->term);
}

TEST(ReplicaTerm, DoesNotBeginWithTooFew) {
  EXPECT_EQ(-1, SourceOf({At(1, 9), kNotSeen, kNotSeen}));
  EXPECT_EQ(-1, SourceOf({kNotSeen, kNotSeen, kNotSeen}));
  EXPECT_EQ(0, SourceOf({At(1, 9), kNotSeen, kNotSeen, At(1, 8), At(1, 8)}, {5, 3, 3, false}));
  EXPECT_EQ(-1, SourceOf({At(1, 9), kNotSeen, kNotSeen, kNotSeen, At(1, 8)}, {5, 3, 3, false}));
  // All have to take every write, so one that is read has all; but two that begin at once have to meet.
  EXPECT_EQ(-1, SourceOf({At(1, 9), kNotSeen, kNotSeen}, {3, 3, 1, false}));
}

TEST(ReplicaTerm, OneThatWasBeingCopiedOrIsEmptyDoesNotCount) {
  EXPECT_EQ(-1, SourceOf({At(1, 9), Half(At(1, 10)), kNotSeen}));
  EXPECT_EQ(-1, SourceOf({At(1, 9), kEmpty, kNotSeen}));
  EXPECT_EQ(-1, SourceOf({At(1, 9), kEmpty, kEmpty}));
  EXPECT_EQ(0, SourceOf({At(1, 9), kEmpty, At(1, 8)}));
  EXPECT_EQ(2, SourceOf({Half(At(1, 10)), At(1, 8), At(1, 9)}));
}

TEST(ReplicaTerm, ANewStoreBeginsWithAllItsReplicasOnly) {
  EXPECT_EQ(0, SourceOf({kEmpty, kEmpty, kEmpty}));
  EXPECT_EQ(-1, SourceOf({kEmpty, kEmpty, kNotSeen}));
  // The process ended while it began its first term.
  EXPECT_EQ(0, SourceOf({At(0, 0, 1), kEmpty, kEmpty}));
  // It has been used: two volumes were lost.
  EXPECT_EQ(-1, SourceOf({At(1, 1), kEmpty, kEmpty}));
}

TEST(ReplicaTerm, AnEventualStoreBeginsWithTheNewestItSees) {
  EXPECT_EQ(1, SourceOf({At(1, 8), At(1, 9), At(1, 8)}, {3, 1, 1, true}));
  EXPECT_EQ(2, SourceOf({kNotSeen, kNotSeen, At(1, 8)}, {3, 1, 1, true}));
}

}  // namespace
}  // namespace holdfast::composition
