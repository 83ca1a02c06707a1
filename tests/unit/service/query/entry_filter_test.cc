#include "service/query/entry_filter.h"

#include "base/time/duration.h"

namespace holdfast::query {
namespace {

storage::KeyedEntry Item() {
  auto entry = std::make_shared<storage::Entry>();
  entry->created_at = *ParseTimestamp("2026-11-21T01:02:03Z");
  entry->updated_at = *ParseTimestamp("2026-11-21T01:02:03.5Z");
  entry->metadata = R"({"source":"kafka","partition":7,"nested":{"a":[1,"x"]},"off":null})";
  entry->tags = {"eu", "hot"};
  return {"orders/1", entry, 42};
}

bool Matches(std::string_view text, const storage::KeyedEntry& item = Item()) {
  auto parsed = ParseFilter(text);
  EXPECT_TRUE(parsed.ok()) << text;
  auto filter = EntryFilter::Make(std::move(parsed).value());
  EXPECT_TRUE(filter.ok()) << text << ": " << (filter.ok() ? "" : filter.error().message());
  return filter.ok() && filter->Matches(item);
}

TEST(EntryFilterTest, EveryPath) {
  const std::pair<std::string_view, bool> rows[] = {
      {R"(metadata.source = "kafka" and metadata.partition >= 5 and tags has "eu")", true},
      {R"(metadata.source = "kafka" and metadata.partition >= 8 and tags has "eu")", false},
      {R"(metadata.source in ("redis", "kafka"))", true},
      {R"(metadata.nested.a has "x")", true},
      {"metadata exists", true},
      {"metadata.off exists", true},
      {"metadata.gone exists", false},
      {R"(key = "orders/1")", true},
      {R"(key >= "orders/2")", false},
      {"key exists", true},
      {"size = 42", true},
      {"size > 41.5", true},
      {"size in (1, 2)", false},
      {R"(content_type = "application/octet-stream")", true},
      {R"(content_type != "text/plain")", true},
      {R"(created_at = "2026-11-21T01:02:03.000Z")", true},
      {R"(created_at = "2026-11-21T03:02:03+02:00")", true},
      // As text "...03.5Z" would come before "...03Z".
      {R"(updated_at > "2026-11-21T01:02:03Z")", true},
      {"expires_at exists", false},
      {R"(expires_at < "2099-01-01T00:00:00Z")", false},
      {R"(tags has "us")", false},
      {"tags exists", true},
  };
  for (const auto& [text, expected] : rows) EXPECT_EQ(Matches(text), expected) << text;
}

// A backend keeps what it is given; the service lets none of this in.
TEST(EntryFilterTest, UnreadableMetadataSatisfiesNothing) {
  for (const char* metadata : {"{", R"({"a":1,"a":1})", "\xff"}) {
    auto entry = std::make_shared<storage::Entry>();
    entry->metadata = metadata;
    for (const char* text : {"metadata exists", "metadata = null", "metadata.a = 1", "metadata.a exists"}) {
      EXPECT_FALSE(Matches(text, {"k", entry, 0})) << text << " " << metadata;
    }
  }
}

TEST(EntryFilterTest, BareEntry) {
  const storage::KeyedEntry bare{"k", std::make_shared<storage::Entry>(), 0};
  for (const char* text : {"metadata exists", "metadata.x = 1", "metadata.x != 1", "tags exists", "tags has \"a\""}) {
    EXPECT_FALSE(Matches(text, bare)) << text;
  }
  EXPECT_TRUE(Matches("size = 0", bare));
}

TEST(EntryFilterTest, RefusesWhatCanNeverMatch) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"metdata.x = 1", "entries have no \"metdata.x\""},
      {"severity = 1", "key, size"},
      {"size.x = 1", "entries have no"},
      {R"(size = "big")", "a number"},
      {"key = 5", "strings"},
      {R"(key has "x")", "no list"},
      {R"(tags = "eu")", "tags has"},
      {"tags has 5", "strings"},
      {R"(created_at > "yesterday")", "an instant"},
      {"created_at > 5", "strings"},
      {R"(size = 1 and updated_at in ("2026-11-21T01:02:03Z", "x"))", "at byte 14"},
  };
  for (const auto& [text, message] : rows) {
    auto parsed = ParseFilter(text);
    ASSERT_TRUE(parsed.ok()) << text;
    const auto filter = EntryFilter::Make(std::move(parsed).value());
    ASSERT_FALSE(filter.ok()) << text;
    EXPECT_EQ(filter.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_TRUE(filter.error().message().find(message) != std::string::npos) << filter.error().message();
  }
}

}  // namespace
}  // namespace holdfast::query
