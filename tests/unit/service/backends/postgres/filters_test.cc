// What of a filter the server evaluates. That nothing which matches is left out: tests/property/filter_property.cc.
#include <gmock/gmock.h>

#include "service/query/entry_filter.h"
#include "tests/unit/service/backends/postgres/fixture.h"

namespace holdfast::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Filters : public PostgresTest {
 protected:
  void SetUp() override {
    backend_ = Open();
    ASSERT_NE(backend_, nullptr);
  }
  void Put(const std::string& key, const std::string& metadata, const std::vector<std::string>& tags = {}) {
    Operation put = Operation::Put(key, "value");
    put.metadata = metadata;
    put.tags = tags;
    const OperationResult result = Run(*backend_, put);
    ASSERT_TRUE(result.status.ok()) << result.status.error().ToString();
  }
  ScanPage Scan(const std::string& text, std::size_t max_matches = 100, std::size_t max_examined = 1'000,
                std::optional<std::string> after = std::nullopt) {
    const auto filter = query::EntryFilter::Make(query::ParseFilter(text).value()).value();
    ScanRequest request;
    request.filter = {filter.conditions(), max_matches, max_examined};
    request.after = std::move(after);
    Result<ScanPage> page = backend_->Scan(request, Deadline::After(std::chrono::seconds{20}));
    EXPECT_TRUE(page.ok()) << page.error().ToString();
    return page.ok() ? std::move(*page) : ScanPage();
  }
  std::vector<std::string> KeysOf(const ScanPage& page) {
    std::vector<std::string> keys;
    for (const KeyedEntry& item : page.entries) keys.push_back(item.key);
    return keys;
  }

  std::unique_ptr<Backend> backend_;
};

// Each row alone matches what is said of it, and JSONB says all of it exactly.
TEST_F(Filters, WhatDoesNotMatchStaysOnTheServer) {
  Put("bare", "");
  Put("false", R"({"v":false})");
  Put("nested", R"({"v":{"w":[1,"x",null]}})");
  Put("null", R"({"v":null})");
  Put("number", R"({"v":2})");
  Put("decimal", R"({"v":2.5})");
  Put("tagged", R"({})", {"eu", "us"});
  Put("text", R"({"v":"2"})");
  Put("upper", R"({"v":"A"})");
  Put("wide", "{\"v\":\"\u00e9\"}");
  const std::pair<const char*, std::vector<std::string>> rows[] = {
      {"metadata.v = 2", {"number"}},
      {"metadata.v = 2.0", {"number"}},
      {R"(metadata.v = "2")", {"text"}},
      {R"(metadata.v = "a")", {}},
      {"metadata.v = null", {"null"}},
      {"metadata.v = false", {"false"}},
      {"metadata.v != 2", {"decimal"}},
      {"metadata.v != null", {"decimal", "false", "nested", "number", "text", "upper", "wide"}},
      {"metadata.v > 1.5", {"decimal", "number"}},
      {"metadata.v <= 2", {"number"}},
      {R"(metadata.v >= "A")", {"upper", "wide"}},
      {"metadata.v > \"\u00e8\"", {"wide"}},
      {R"(metadata.v < "A")", {"text"}},
      {R"(metadata.v in ("A", 2.5, true))", {"decimal", "upper"}},
      {"metadata.v exists", {"decimal", "false", "nested", "null", "number", "text", "upper", "wide"}},
      {"metadata.v.w has null", {"nested"}},
      {"metadata.v has 2", {}},
      {"metadata exists and tags exists", {"tagged"}},
      {R"(tags has "eu" and tags has "us")", {"tagged"}},
      {R"(tags has "e")", {}},
      {R"(key > "tagged" and size = 5)", {"text", "upper", "wide"}},
      {R"(content_type != "application/octet-stream")", {}},
      {"expires_at exists", {}},
      {R"(created_at > "2020-01-01T00:00:00Z" and metadata.v = 2)", {"number"}},
  };
  for (const auto& [text, expected] : rows) EXPECT_EQ(KeysOf(Scan(text)), expected) << text;
}

TEST_F(Filters, WhatJsonbWouldReadOtherwiseIsLeftToTheService) {
  const std::vector<std::string> unclear = {R"({"v":9007199254740993.0})", R"({"v":1e0})", "no JSON",
                                            R"({"v":"\u0000"})"};
  for (const std::string& metadata : unclear) Put(metadata, metadata);
  Put("bytes in a tag", "", {"\xff"});
  Put("digits in a text", R"({"v":"90071992547409930 1e5 \"1e5"})");
  for (const char* text :
       {"metadata.v = 3", "metadata.v > 3", "metadata.v exists", "metadata.v != 3", R"(tags has "x")"}) {
    const auto keys = KeysOf(Scan(text));
    for (const std::string& metadata : unclear) EXPECT_THAT(keys, testing::Contains(metadata)) << text;
    EXPECT_THAT(keys, testing::Contains("bytes in a tag")) << text;
  }
  EXPECT_THAT(KeysOf(Scan("metadata.v = 3")), testing::Not(testing::Contains("digits in a text")));
}

TEST_F(Filters, MetadataAndTagsComeBackByteForByte) {
  const std::string metadata = "{ \"b\" : 1.50,\n\"a\":[ 1e2, \"\\u00e9\" ] , \"aa\":18446744073709551616 }";
  Put("k", metadata, {"b", "a", "b", "\xff"});
  const ScanPage page = Scan("metadata.a exists");
  ASSERT_EQ(page.entries.size(), 1u);
  EXPECT_EQ(page.entries[0].entry->metadata, metadata);
  EXPECT_THAT(page.entries[0].entry->tags, ElementsAre("b", "a", "b", "\xff"));
}

TEST_F(Filters, APageSaysHowFarItLooked) {
  for (char c = 'a'; c < 'k'; ++c) Put(std::string(1, c), c == 'h' ? R"({"v":8})" : R"({"v":1})");
  ScanPage page = Scan("metadata.v > 5", 100, 4);
  EXPECT_THAT(page.entries, IsEmpty());
  EXPECT_FALSE(page.complete);
  EXPECT_EQ(page.reached, "d");
  EXPECT_EQ(page.left_out, 4u);
  page = Scan("metadata.v > 5", 100, 4, page.reached);
  EXPECT_THAT(KeysOf(page), ElementsAre("h"));
  EXPECT_FALSE(page.complete) << "it stands where the page ends";
  EXPECT_EQ(page.left_out, 3u);
  page = Scan("metadata.v > 5", 100, 4, "h");
  EXPECT_THAT(page.entries, IsEmpty());
  EXPECT_TRUE(page.complete);
  // As many as are asked for, and no more.
  page = Scan("metadata.v < 5", 3);
  EXPECT_THAT(KeysOf(page), ElementsAre("a", "b", "c"));
  EXPECT_FALSE(page.complete);
  EXPECT_EQ(page.left_out, 0u);
  // Where an index finds them nothing is looked at beside them.
  page = Scan("metadata.v = 8", 100, 4);
  EXPECT_THAT(KeysOf(page), ElementsAre("h"));
  EXPECT_TRUE(page.complete);
}

// Once such a page claimed to be the last.
TEST_F(Filters, APageByAnIndexThatEndsForWhatMayBeExaminedIsNotTheLast) {
  for (char c = 'a'; c < 'f'; ++c) Put(std::string(1, c), R"({"v":1})");
  const ScanPage page = Scan("metadata.v = 1", 100, 3);
  EXPECT_THAT(KeysOf(page), ElementsAre("a", "b", "c"));
  EXPECT_FALSE(page.complete);
}

TEST_F(Filters, LimitsOfZeroAreRefused) {
  const auto filter = query::EntryFilter::Make(query::ParseFilter("size = 1").value()).value();
  for (const auto& [matches, examined] : {std::pair{0, 1}, std::pair{1, 0}}) {
    ScanRequest request;
    request.filter = {filter.conditions(), static_cast<std::size_t>(matches), static_cast<std::size_t>(examined)};
    const auto page = backend_->Scan(request, Deadline::Infinite());
    EXPECT_EQ(CodeOf(page.ok() ? Status() : Status(page.error())), "invalid_argument");
  }
}

}  // namespace
}  // namespace holdfast::storage
