#include "operator/kube/event_correlator.h"

#include <set>

namespace holdfast::kube {
namespace {

constexpr Timestamp kStart{std::chrono::seconds{1'700'000'000}};

Occurrence Happened(const std::string& reason, std::chrono::seconds after = {}, const std::string& object = "main") {
  Occurrence occurrence;
  occurrence.object = {"prod", object};
  occurrence.api_version = "storage.holdfast.dev/v1";
  occurrence.kind = "StorageCluster";
  occurrence.uid = "uid-" + object;
  occurrence.resource_version = "12";
  occurrence.type = EventType::kWarning;
  occurrence.reason = reason;
  occurrence.message = "something happened";
  occurrence.when = kStart + after;
  return occurrence;
}

TEST(EventCorrelator, AnEventIsComplete) {
  EventCorrelator correlator("holdfast-operator");
  const auto write = correlator.Correlate(Happened("Failed"));
  ASSERT_TRUE(write);
  EXPECT_EQ(write->count, 1);
  EXPECT_EQ(write->event, Json::parse(R"({
    "apiVersion": "v1", "kind": "Event",
    "metadata": {"name": "main.17979cfe362a0000", "namespace": "prod"},
    "involvedObject": {"apiVersion": "storage.holdfast.dev/v1", "kind": "StorageCluster", "name": "main",
                       "namespace": "prod", "uid": "uid-main", "resourceVersion": "12"},
    "type": "Warning", "reason": "Failed", "message": "something happened",
    "source": {"component": "holdfast-operator"}, "reportingComponent": "holdfast-operator",
    "firstTimestamp": "2023-11-14T22:13:20Z", "lastTimestamp": "2023-11-14T22:13:20Z", "count": 1})"))
      << write->event.dump(2);
}

TEST(EventCorrelator, TheSameWithinTenMinutesRaisesTheCount) {
  EventCorrelator correlator("c");
  const auto first = correlator.Correlate(Happened("Failed"));
  const auto second = correlator.Correlate(Happened("Failed", std::chrono::seconds{599}));
  const auto other = correlator.Correlate(Happened("Other", std::chrono::seconds{599}));
  const auto later = correlator.Correlate(Happened("Failed", std::chrono::seconds{599 + 601}));
  ASSERT_TRUE(first && second && other && later);
  EXPECT_EQ(second->count, 2);
  EXPECT_EQ(KeyOf(second->event), KeyOf(first->event));
  EXPECT_EQ(second->event["firstTimestamp"], first->event["firstTimestamp"]);
  EXPECT_NE(second->event["lastTimestamp"], first->event["lastTimestamp"]);
  EXPECT_EQ(other->count, 1);
  EXPECT_EQ(later->count, 1);
  EXPECT_NE(KeyOf(later->event), KeyOf(first->event));
}

TEST(EventCorrelator, ABurstPerObjectIsTwentyFive) {
  EventCorrelator correlator("c");
  int told = 0;
  for (int i = 0; i < 100; ++i) told += correlator.Correlate(Happened("R" + std::to_string(i))) ? 1 : 0;
  EXPECT_EQ(told, 25);
  EXPECT_TRUE(correlator.Correlate(Happened("R", {}, "another")));
  EXPECT_FALSE(correlator.Correlate(Happened("X", std::chrono::seconds{299})));
  EXPECT_TRUE(correlator.Correlate(Happened("X", std::chrono::seconds{301})));
  EXPECT_FALSE(correlator.Correlate(Happened("X", std::chrono::seconds{302})));
}

TEST(EventCorrelator, NamesDifferInTheSameMicrosecondAndFit) {
  EventCorrelator correlator("c");
  std::set<std::string> names;
  for (int i = 0; i < 20; ++i) {
    const auto write = correlator.Correlate(Happened("R" + std::to_string(i), {}, std::string(252, 'n')));
    ASSERT_TRUE(write);
    names.insert(KeyOf(write->event).name);
    EXPECT_LE(KeyOf(write->event).name.size(), 253u);
  }
  EXPECT_EQ(names.size(), 20u);
}

TEST(EventCorrelator, ClusterScopedObjectsHaveTheirEventsInDefault) {
  EventCorrelator correlator("c");
  Occurrence occurrence = Happened("R");
  occurrence.object.ns.clear();
  const auto write = correlator.Correlate(occurrence);
  ASSERT_TRUE(write);
  EXPECT_EQ(KeyOf(write->event).ns, "default");
  EXPECT_FALSE(write->event["involvedObject"].contains("namespace"));
}

TEST(EventCorrelator, MemoryIsBounded) {
  EventCorrelator correlator("c");
  ASSERT_TRUE(correlator.Correlate(Happened("R", {}, "first")));
  for (std::size_t i = 0; i < EventCorrelator::kRemembered; ++i) {
    ASSERT_TRUE(correlator.Correlate(Happened("R", {}, "o" + std::to_string(i))));
  }
  const auto again = correlator.Correlate(Happened("R", {}, "first"));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->count, 1);  // forgotten, so it is told anew
}

}  // namespace
}  // namespace holdfast::kube
