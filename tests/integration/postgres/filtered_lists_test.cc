// Lists with filters, page by page: whatever the server leaves out, PostgreSQL shows what memory does.
#include <fmt/format.h>

#include "tests/integration/postgres/twin_services.h"

namespace holdfast {
namespace {

const std::string kList = "/v1/stores/main/keys?limit=";

class FilteredListsTest : public TwinServicesTest {
 protected:
  // Keys and prefixes of all pages, in their order.
  static std::vector<std::string> Walk(Service& service, const std::string& target) {
    std::vector<std::string> found;
    std::string cursor;
    for (int pages = 0; pages < 500; ++pages) {
      const nlohmann::json page = service.Json("GET", target + "&cursor=" + http::PercentEncode(cursor));
      for (const auto& item : page["items"]) found.push_back(item["key"]);
      for (const auto& prefix : page["prefixes"]) found.push_back("prefix " + prefix.get<std::string>());
      if (page["complete"].get<bool>()) return found;
      cursor = page["cursor"];
    }
    ADD_FAILURE() << "the pages do not end";
    return found;
  }
};

TEST_F(FilteredListsTest, postgres_filtered_lists_with_and_without_delimiters) {
  std::string operations;
  for (int n = 0; n < 300; ++n) {
    operations.append(operations.empty() ? "" : ",");
    operations.append(fmt::format(
        R"({{"op":"put","key":"{}/{:03}","value":"v","metadata":{{"n":{},"kind":"{}"}},"tags":["{}"]}})",
        static_cast<char>('a' + n / 30), n, n, n % 100 == 7 ? "rare" : "common", n % 2 == 0 ? "even" : "odd"));
  }
  AskJson("POST", "/v1/stores/main/batch", "{\"operations\":[" + operations + "]}");
  std::size_t found = 0;
  for (const char* filter : {R"(metadata.kind = "rare")", R"(metadata.kind != "common")", "metadata.n >= 280",
                             R"(tags has "odd" and metadata.n < 50)", R"(key > "i/" and size = 1)", "size = 2"}) {
    for (const char* more :
         {"", "&delimiter=%2f", "&order=desc", "&order=desc&delimiter=%2f&start=b", "&prefix=h%2f"}) {
      for (const int limit : {1, 7, 1'000}) {
        const std::string target = fmt::format("{}{}{}&filter={}", kList, limit, more, http::PercentEncode(filter));
        const std::vector<std::string> expected = Walk(on_memory(), target);
        EXPECT_EQ(Walk(on_postgres(), target), expected) << target;
        found += expected.size();
      }
    }
  }
  EXPECT_GT(found, 500u);
  const http::Headers lines{{"Accept", "application/x-ndjson"}};
  for (const char* filter : {"metadata.n%20%3e=%20280", "metadata.kind%20=%20%22rare%22", "size%20=%202"}) {
    Ask("GET", "/v1/stores/main/keys?values=true&filter=" + std::string(filter), lines);
    Ask("GET", "/v1/stores/main/keys?delimiter=%2f&filter=" + std::string(filter), lines);
  }
}

}  // namespace
}  // namespace holdfast
