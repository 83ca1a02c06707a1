// Lists with a filter, with a delimiter, as lines.
#include <fmt/format.h>

#include <random>
#include <set>

#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

const std::string kKeys = "/v1/stores/main/keys";
using Keys = std::vector<std::string>;

std::string Percent(std::string_view text) {
  std::string out;
  for (const char c : text) out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
  return out;
}

void Put(ApiHarness& api, const std::string& key, const HeaderList& headers = {}, const std::string& value = "v") {
  const Answer answer = api.Send("PUT", kKeys + "/" + Percent(key), headers, value);
  ASSERT_EQ(answer.status, 201) << answer.body;
}

Keys KeysOf(const nlohmann::json& page) {
  Keys keys;
  for (const auto& item : page.at("items")) keys.push_back(item.at("key"));
  return keys;
}

// Every page of a list, put together. `prefixes` stand among the keys, in order.
Keys All(ApiHarness& api, const std::string& query, int* pages = nullptr) {
  Keys found;
  std::string cursor;
  for (int i = 0; i < 10'000; ++i) {
    if (pages != nullptr) ++*pages;
    const Answer answer = api.Send("GET", kKeys + "?" + query + "&cursor=" + cursor);
    EXPECT_EQ(answer.status, 200) << answer.body;
    if (answer.status != 200) return found;
    const auto page = answer.Json();
    Keys both = KeysOf(page);
    for (const auto& prefix : page.at("prefixes")) both.push_back(prefix);
    std::sort(both.begin(), both.end());
    if (query.find("order=desc") != std::string::npos) std::reverse(both.begin(), both.end());
    found.insert(found.end(), both.begin(), both.end());
    cursor = page.at("cursor");
    EXPECT_EQ(cursor.empty(), page.at("complete").get<bool>());
    if (page.at("complete")) return found;
  }
  ADD_FAILURE() << "the list does not end";
  return found;
}

std::vector<nlohmann::json> Lines(const std::string& body) {
  std::vector<nlohmann::json> lines;
  for (std::size_t begin = 0; begin < body.size();) {
    const std::size_t end = body.find('\n', begin);
    if (end == std::string::npos) {
      ADD_FAILURE() << "the last line does not end: " << body.substr(begin, 200);
      break;
    }
    lines.push_back(nlohmann::json::parse(body.substr(begin, end - begin)));
    begin = end + 1;
  }
  return lines;
}

const HeaderList kLines = {{"Accept", "application/x-ndjson"}};

TEST(ListShapeTest, MemoryFiltersOnMetadataTagsAndTheRest) {
  ApiHarness api;
  Put(api, "a", {{"Holdfast-Metadata", R"({"source":"kafka","partition":7})"}, {"Holdfast-Tags", "eu,hot"}}, "12345");
  Put(api, "b", {{"Holdfast-Metadata", R"({"source":"kafka","partition":4})"}, {"Holdfast-Tags", "eu"}});
  Put(api, "c", {{"Holdfast-Metadata", R"({"source":"redis","partition":9})"}, {"Holdfast-Tags", "us"}});
  Put(api, "d", {{"Content-Type", "text/plain"}});
  const std::pair<std::string, Keys> rows[] = {
      {R"(metadata.source = "kafka" and metadata.partition >= 5 and tags has "eu")", {"a"}},
      {R"(metadata.source in ("kafka", "redis"))", {"a", "b", "c"}},
      {R"(metadata.source != "kafka")", {"c"}},
      {"metadata.partition exists", {"a", "b", "c"}},
      {"metadata.partition < 7.5", {"a", "b"}},
      {R"(metadata.partition = "7")", {}},
      {"size = 5", {"a"}},
      {R"(content_type = "text/plain")", {"d"}},
      {R"(key >= "b" and key < "d")", {"b", "c"}},
      {R"(created_at >= "2023-11-14T22:13:20Z")", {"a", "b", "c", "d"}},
      {R"(metadata.source = "' OR 1=1 --")", {}},
  };
  for (const auto& [filter, expected] : rows) EXPECT_EQ(All(api, "filter=" + Percent(filter)), expected) << filter;
  EXPECT_EQ(All(api, "limit=1&order=desc&filter=" + Percent("tags has \"eu\"")), (Keys{"b", "a"}));
  EXPECT_EQ(All(api, "filter="), (Keys{"a", "b", "c", "d"}));
}

TEST(ListShapeTest, MemoryRefusesBadFilters) {
  ApiHarness api;
  for (const char* filter :
       {"size", "size = ", "sise = 1", "metadata.x like 1", "a = 1", "size = \"x\"", "size == 1"}) {
    const Answer answer = api.Send("GET", kKeys + "?filter=" + Percent(filter));
    EXPECT_EQ(answer.status, 400) << filter;
    EXPECT_EQ(answer.Code(), "invalid_argument");
    EXPECT_THAT(answer.Detail(), testing::HasSubstr("filter: at byte")) << filter;
  }
  EXPECT_EQ(api.Send("GET", kKeys + "?filter=" + Percent("key = \"\xff\"")).status, 400);
}

TEST(ListShapeTest, MemoryAFilterThatRarelyMatchesGivesShortPagesThatGoOn) {
  ApiHarness::Options options;
  options.api.max_examined_entries = 10;
  ApiHarness api(options);
  for (int i = 0; i < 55; ++i) Put(api, fmt::format("k{:02}", i), {}, i == 54 ? "long" : "v");
  const Answer first = api.Send("GET", kKeys + "?filter=" + Percent("size = 4"));
  EXPECT_EQ(KeysOf(first.Json()), Keys{});
  EXPECT_EQ(first.Json().at("complete"), false);
  int pages = 0;
  EXPECT_EQ(All(api, "filter=" + Percent("size = 4"), &pages), Keys{"k54"});
  EXPECT_GE(pages, 6);
}

TEST(ListShapeTest, MemoryDelimiterGathersFolders) {
  ApiHarness api;
  for (const char* key : {"a", "b/1", "b/2", "b/c/1", "c", "c/", "c/x", "d//e", "z"}) Put(api, key);
  EXPECT_EQ(All(api, "delimiter=/"), (Keys{"a", "b/", "c", "c/", "d/", "z"}));
  EXPECT_EQ(All(api, "delimiter=/&prefix=b/"), (Keys{"b/1", "b/2", "b/c/"}));
  EXPECT_EQ(All(api, "delimiter=/&prefix=b"), (Keys{"b/"}));
  EXPECT_EQ(All(api, "delimiter=/&prefix=d/"), (Keys{"d//"}));
  EXPECT_EQ(All(api, "delimiter=//"), (Keys{"a", "b/1", "b/2", "b/c/1", "c", "c/", "c/x", "d//", "z"}));
  EXPECT_EQ(All(api, "delimiter="), (Keys{"a", "b/1", "b/2", "b/c/1", "c", "c/", "c/x", "d//e", "z"}));
  EXPECT_EQ(All(api, "delimiter=/&start=b/2&end=d"), (Keys{"b/", "c", "c/"}));
  EXPECT_EQ(All(api, "delimiter=/&order=desc&limit=1"), (Keys{"z", "d/", "c/", "c", "b/", "a"}));
  // Prefixes count towards the limit.
  const auto page = api.Send("GET", kKeys + "?delimiter=/&limit=2").Json();
  EXPECT_EQ(KeysOf(page), Keys{"a"});
  EXPECT_EQ(page.at("prefixes"), nlohmann::json{"b/"});
  EXPECT_EQ(page.at("complete"), false);
  // A folder is shown for the keys in it that match.
  EXPECT_EQ(All(api, "delimiter=/&filter=" + Percent("key >= \"b/c\"")), (Keys{"b/", "c", "c/", "d/", "z"}));
}

TEST(ListShapeTest, MemoryAFolderIsPassedWithASeek) {
  ApiHarness::Options options;
  options.api.max_examined_entries = 100;
  ApiHarness api(options);
  for (int i = 0; i < 400; ++i) Put(api, fmt::format("big/{:03}", i));
  Put(api, "last");
  for (const std::string order : {"asc", "desc"}) {
    // Walking through the folder would end the page at 100 entries.
    const auto page = api.Send("GET", kKeys + "?delimiter=/&order=" + order).Json();
    EXPECT_EQ(page.at("prefixes"), nlohmann::json{"big/"});
    EXPECT_EQ(KeysOf(page), Keys{"last"});
    EXPECT_EQ(page.at("complete"), true);
  }
}

TEST(ListShapeTest, MemoryPrefixesThatAreNoTextAreBase64) {
  ApiHarness api;
  Put(api, "\xff\xff/x");
  Put(api, "\xff\xff\xff");
  const auto page = api.Send("GET", kKeys + "?delimiter=/").Json();
  EXPECT_EQ(page.at("prefixes"), (nlohmann::json{{{"prefix", "//8v"}, {"encoding", "base64"}}}));
  // Nothing comes behind a prefix of 0xff bytes alone.
  const auto last = api.Send("GET", kKeys + "?delimiter=%ff&order=asc").Json();
  EXPECT_EQ(last.at("prefixes").size(), 1u);
  EXPECT_EQ(last.at("complete"), true);
}

TEST(ListShapeTest, MemoryLinesAreEveryMatchWithoutALimit) {
  ApiHarness api;
  Keys expected;
  for (int i = 0; i < 2'500; ++i) {
    expected.push_back(fmt::format("k{:04}", i));
    Put(api, expected.back());
  }
  Answer answer = api.Send("GET", kKeys, kLines);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/x-ndjson");
  Keys found;
  for (const auto& line : Lines(answer.body)) found.push_back(line.at("key"));
  EXPECT_EQ(found, expected);

  answer = api.Send("GET", kKeys + "?order=desc&values=true&filter=" + Percent("key < \"k0002\""), kLines);
  const auto lines = Lines(answer.body);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].at("key"), "k0001");
  EXPECT_EQ(lines[0].at("value"), "v");
  EXPECT_EQ(Lines(api.Send("GET", kKeys + "?limit=7", kLines).body).size(), 7u);
  EXPECT_EQ(api.Send("GET", kKeys + "?prefix=none", kLines).body, "");
  EXPECT_EQ(api.Send("GET", kKeys + "?filter=x", kLines).status, 400);
}

TEST(ListShapeTest, MemoryLinesOfFoldersAndLargeValues) {
  ApiHarness api;
  for (int i = 0; i < 60; ++i) {
    Put(api, fmt::format("f{:02}/a", i), {}, std::string(100'000, 'x'));
    Put(api, fmt::format("f{:02}/b", i));
  }
  Put(api, "\xff/");
  const auto folders = Lines(api.Send("GET", kKeys + "?delimiter=/", kLines).body);
  ASSERT_EQ(folders.size(), 61u);
  EXPECT_EQ(folders[0], (nlohmann::json{{"prefix", "f00/"}}));
  EXPECT_EQ(folders[60], (nlohmann::json{{"prefix", {{"prefix", "/y8="}, {"encoding", "base64"}}}}));
  std::size_t bytes = 0;
  for (const auto& line : Lines(api.Send("GET", kKeys + "?values=true&prefix=f", kLines).body)) {
    bytes += line.at("value").get<std::string>().size();
  }
  EXPECT_EQ(bytes, 60u * 100'001u);
}

TEST(ListShapeTest, MemoryALineStreamGoesOnFromACursor) {
  ApiHarness api;
  for (const char* key : {"a", "b", "c"}) Put(api, key);
  const std::string cursor = api.Send("GET", kKeys + "?limit=1").Json().at("cursor");
  EXPECT_EQ(Lines(api.Send("GET", kKeys + "?cursor=" + cursor, kLines).body).size(), 2u);
  EXPECT_EQ(api.Send("GET", kKeys + "?cursor=AAAA", kLines).status, 400);
}

TEST(ListShapeTest, MemoryCursorsAreBoundToTenantFilterAndDelimiter) {
  ApiHarness api;
  for (const char* key : {"a/1", "b/1", "c/1"}) {
    Put(api, key);
    Put(api, std::string(key) + "x");
  }
  const std::string filter = "filter=" + Percent("size = 1");
  const std::string query = "?delimiter=/&limit=1&" + filter;
  const std::string cursor = api.Send("GET", kKeys + query).Json().at("cursor");
  EXPECT_EQ(api.Send("GET", kKeys + query + "&cursor=" + cursor).Json().at("prefixes"), nlohmann::json{"b/"});
  // Blanks do not make another filter.
  EXPECT_EQ(api.Send("GET", kKeys + "?delimiter=/&filter=" + Percent(" size=1 ") + "&cursor=" + cursor).status, 200);
  for (const std::string& other : {"?delimiter=/&cursor=" + cursor, "?" + filter + "&cursor=" + cursor,
                                   "?delimiter=x&" + filter + "&cursor=" + cursor,
                                   "?delimiter=/&filter=" + Percent("size = 2") + "&cursor=" + cursor}) {
    EXPECT_EQ(api.Send("GET", kKeys + other).status, 400) << other;
  }
  EXPECT_EQ(api.Send("GET", kKeys + query + "&cursor=" + cursor, {{"Holdfast-Namespace", "team-b"}}).status, 400);
}

// Every page of every kind of list, against a model that sorts and gathers in memory.
TEST(ListShapeTest, MemoryPropertyPagesAreTheModelCutIntoPieces) {
  const char* given = std::getenv("HOLDFAST_SEED");
  const unsigned long seed = given != nullptr ? std::strtoul(given, nullptr, 10) : 1;
  SCOPED_TRACE(fmt::format("HOLDFAST_SEED={}", seed));
  std::mt19937_64 random(seed);
  ApiHarness::Options options;
  options.api.max_examined_entries = 40;
  ApiHarness api(options);
  const auto some_key = [&](std::size_t most) {
    std::string key;
    for (std::size_t i = random() % most + 1; i > 0; --i) key.push_back("ab/"[random() % 3]);
    return key;
  };
  std::map<std::string, std::size_t> model;
  for (int i = 0; i < 300; ++i) {
    const std::string key = some_key(7);
    const std::size_t size = random() % 3;
    if (model.emplace(key, size).second) Put(api, key, {}, std::string(size, 'x'));
  }
  for (int round = 0; round < 150; ++round) {
    const std::string prefix = random() % 2 == 0 ? "" : some_key(3);
    const std::string start = random() % 3 == 0 ? some_key(3) : "";
    const std::string end = random() % 3 == 0 ? some_key(3) : "";
    const std::string delimiter = random() % 3 == 0 ? "" : random() % 4 == 0 ? "a/" : "/";
    const bool filtered = random() % 2 == 0;
    const bool descending = random() % 2 == 0;
    std::set<std::string> expected;
    for (const auto& [key, size] : model) {
      if (!key.starts_with(prefix) || key < start || (!end.empty() && key >= end)) continue;
      if (filtered && size != 1) continue;
      const std::size_t found = delimiter.empty() ? std::string::npos : key.find(delimiter, prefix.size());
      expected.insert(found == std::string::npos ? key : key.substr(0, found + delimiter.size()));
    }
    const std::string query = fmt::format("prefix={}&start={}&end={}&delimiter={}&order={}&limit={}{}", Percent(prefix),
                                          Percent(start), Percent(end), Percent(delimiter), descending ? "desc" : "asc",
                                          random() % 20 + 1, filtered ? "&filter=size%3D1" : "");
    Keys wanted(expected.begin(), expected.end());
    if (descending) std::reverse(wanted.begin(), wanted.end());
    Keys found = All(api, query);
    EXPECT_EQ(found, wanted) << query;
  }
}

}  // namespace
}  // namespace holdfast::api
