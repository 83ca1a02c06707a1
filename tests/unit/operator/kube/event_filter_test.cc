#include "operator/kube/event_filter.h"

namespace holdfast::kube {
namespace {

Json Object(const std::string& uid, const std::string& version, int generation = 0) {
  Json object = {{"metadata", {{"name", "a"}, {"namespace", "ns"}, {"uid", uid}, {"resourceVersion", version}}}};
  if (generation > 0) object["metadata"]["generation"] = generation;
  return object;
}

TEST(EventFilter, TheSameVersionAgainIsAReplay) {
  EventFilter filter(false);
  const Json current = Object("u", "5");
  EXPECT_TRUE(filter.IsReplay(&current, Object("u", "5")));
  EXPECT_FALSE(filter.IsReplay(&current, Object("u", "6")));
  EXPECT_FALSE(filter.IsReplay(nullptr, Object("u", "5")));
}

TEST(EventFilter, ASupersededVersionIsAReplay) {
  EventFilter filter(false);
  filter.Superseded(Object("u", "100"));
  const Json current = Object("u", "9");  // opaque: "9" may well be later than "100"
  EXPECT_TRUE(filter.IsReplay(&current, Object("u", "100")));
  EXPECT_FALSE(filter.IsReplay(&current, Object("u", "8")));
  EXPECT_FALSE(filter.IsReplay(&current, Object("other", "100")));
}

TEST(EventFilter, AGenerationNeverGoesBack) {
  EventFilter filter(false);
  const Json current = Object("u", "9", 4);
  EXPECT_TRUE(filter.IsReplay(&current, Object("u", "7", 3)));
  EXPECT_FALSE(filter.IsReplay(&current, Object("u", "10", 4)));
  EXPECT_FALSE(filter.IsReplay(&current, Object("successor", "10", 1)));
}

TEST(EventFilter, ADeletedUidNeverComesBack) {
  EventFilter filter(false);
  filter.Removed(Object("u", "9"));
  EXPECT_TRUE(filter.IsReplay(nullptr, Object("u", "8")));
  EXPECT_FALSE(filter.IsReplay(nullptr, Object("successor", "10")));
}

TEST(EventFilter, UnderASelectorTheUidMayComeBackButNotTheVersion) {
  EventFilter filter(true);
  filter.Removed(Object("u", "9"));
  EXPECT_TRUE(filter.IsReplay(nullptr, Object("u", "9")));
  EXPECT_FALSE(filter.IsReplay(nullptr, Object("u", "12")));
}

TEST(EventFilter, AListClearsAndMemoryIsBounded) {
  EventFilter filter(false);
  filter.Superseded(Object("u", "0"));
  for (std::size_t i = 1; i <= EventFilter::kRemembered; ++i) filter.Superseded(Object("u", std::to_string(i)));
  EXPECT_FALSE(filter.IsReplay(nullptr, Object("u", "0")));
  EXPECT_TRUE(filter.IsReplay(nullptr, Object("u", "1")));
  filter.Clear();
  EXPECT_FALSE(filter.IsReplay(nullptr, Object("u", "1")));
}

}  // namespace
}  // namespace holdfast::kube
