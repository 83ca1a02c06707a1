#include "operator/kube/watch_event.h"

namespace holdfast::kube {
namespace {

const char* const kPodObject =
    R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"ns","resourceVersion":"7"}})";

std::string Line(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}";
}

TEST(WatchEventLine, FourTypes) {
  const std::pair<const char*, WatchEventType> types[] = {{"ADDED", WatchEventType::kAdded},
                                                          {"MODIFIED", WatchEventType::kModified},
                                                          {"DELETED", WatchEventType::kDeleted},
                                                          {"BOOKMARK", WatchEventType::kBookmark}};
  for (const auto& [name, type] : types) {
    const auto event = ParseWatchEvent(kinds::kPod, Line(name, kPodObject));
    ASSERT_TRUE(event.ok()) << name;
    EXPECT_EQ(event->type, type);
    EXPECT_EQ(ResourceVersionOf(event->object), "7");
  }
}

TEST(WatchEventLine, BookmarksHaveNoName) {
  EXPECT_TRUE(
      ParseWatchEvent(kinds::kPod, Line("BOOKMARK", R"({"kind":"Pod","metadata":{"resourceVersion":"9"}})")).ok());
}

TEST(WatchEventLine, KindIsFilledIn) {
  const auto event =
      ParseWatchEvent(kinds::kStatefulSet, Line("ADDED", R"({"metadata":{"name":"a","resourceVersion":"1"}})"));
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->object["apiVersion"], "apps/v1");
  EXPECT_EQ(event->object["kind"], "StatefulSet");
}

TEST(WatchEventLine, ErrorEventsGiveTheirStatus) {
  const auto event = ParseWatchEvent(
      kinds::kPod, Line("ERROR", R"({"kind":"Status","code":410,"reason":"Expired","message":"too old"})"));
  ASSERT_FALSE(event.ok());
  EXPECT_EQ(event.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_NE(event.error().message().find("too old"), std::string::npos);
}

TEST(WatchEventLine, SenselessLinesAreCorruption) {
  const std::string lines[] = {
      "",
      "{",
      R"({"type":"ADDED","object":{"kind":"Pod","metada)",
      "[]",
      "null",
      "\xff\xfe",
      R"({"type":"ADDED"})",
      R"({"type":"ADDED","object":7})",
      Line("SYNCED", kPodObject),
      Line("", kPodObject),
      Line("ADDED", R"({"kind":"Secret","metadata":{"name":"a","resourceVersion":"1"}})"),
      Line("ADDED", R"({"kind":"Pod","metadata":{"resourceVersion":"1"}})"),
      Line("ADDED", R"({"kind":"Pod","metadata":{"name":"a"}})"),
      Line("BOOKMARK", R"({"kind":"Pod","metadata":{}})"),
      std::string(100'000, '['),
  };
  for (const std::string& line : lines) {
    const auto event = ParseWatchEvent(kinds::kPod, line);
    ASSERT_FALSE(event.ok()) << line;
    EXPECT_EQ(event.error().code(), ErrorCode::kCorruption) << line;
    EXPECT_LT(event.error().message().size(), 300u);
  }
}

}  // namespace
}  // namespace holdfast::kube
