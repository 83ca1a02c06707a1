#include "service/composition/flights.h"

#include <gtest/gtest.h>

#include <future>

namespace holdfast::composition {
namespace {

using std::chrono::milliseconds;

storage::EntryPtr EntryOf(const std::string& value) {
  auto entry = std::make_shared<storage::Entry>();
  entry->value = value;
  return entry;
}

TEST(Flights, OneReadsAndTheOthersGetWhatItRead) {
  Flights flights;
  const auto leader = flights.Board("k", {1, 1});
  EXPECT_TRUE(leader.leads);
  const auto follower = flights.Board("k", {1, 1});
  EXPECT_FALSE(follower.leads);
  auto waits = std::async(std::launch::async,
                          [&] { return Flights::Await(*follower.flight, Deadline::After(std::chrono::seconds{20})); });
  flights.Land("k", leader.flight, {false, EntryOf("v")});
  const auto landing = waits.get();
  ASSERT_TRUE(landing);
  EXPECT_EQ(landing->entry->value, "v");
  EXPECT_TRUE(flights.Board("k", {1, 1}).leads);  // it is over
}

TEST(Flights, WhoComesBehindAChangeDoesNotShareWhatWasReadBefore) {
  Flights flights;
  const auto before = flights.Board("k", {1, 1});
  const auto behind = flights.Board("k", {1, 2});
  EXPECT_TRUE(behind.leads);
  flights.Land("k", before.flight, {false, EntryOf("old")});
  EXPECT_FALSE(flights.Board("k", {1, 2}).leads);  // the newer one still flies
  flights.Land("k", behind.flight, {false, EntryOf("new")});
  EXPECT_TRUE(flights.Board("k", {1, 2}).leads);
}

TEST(Flights, NobodyWaitsLongerThanItsDeadline) {
  Flights flights;
  static_cast<void>(flights.Board("k", {1, 1}));
  const auto follower = flights.Board("k", {1, 1});
  EXPECT_FALSE(Flights::Await(*follower.flight, Deadline::After(milliseconds{10})));
}

}  // namespace
}  // namespace holdfast::composition
