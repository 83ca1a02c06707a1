// "One rule for every field" (docs/api.md): every row of that table, at every place that takes a document.
#include <fmt/format.h>

#include <fstream>
#include <set>

#include "tests/integration/service/bad_input.h"

namespace holdfast {
namespace {

using namespace std::string_literals;

const std::string kBase = "/v1/stores/main/";

class FieldRulesTest : public BadInputTest {
 protected:
  struct Place {
    std::string name, method, target;
  };
  // Wherever a JSON body is read.
  static std::vector<Place> Places() {
    return {
        {"batch", "POST", kBase + "batch"},
        {"transaction", "POST", kBase + "transaction"},
        {"increment", "POST", kBase + "keys/n?action=increment"},
        {"acquire", "POST", kBase + "locks/free"},
        {"extend", "PUT", kBase + "locks/held"},
        {"campaign", "POST", kBase + "elections/e"},
        {"collection", "PUT", kBase + "collections/c"},
        {"document", "PUT", kBase + "collections/c/documents/1"},
        {"namespace", "PUT", "/v1/namespaces/team-a"},
    };
  }
  static BadInput Body(const std::string& name, const std::string& method, const std::string& target,
                       const std::string& body, const std::vector<std::string>& words) {
    return {name, RequestOf(method, target, "Content-Type: application/json\r\n", body), 400, "invalid_argument",
            words};
  }
  static BadInput Batch(const std::string& operation, const std::vector<std::string>& words) {
    return Body(operation, "POST", kBase + "batch",
                R"({"operations":[{"op":"put","key":"canary","value":"1"},)" + operation + "]}", words);
  }
  // A document that is bad wherever it comes, at all places.
  void CheckEverywhere(const std::string& document, const std::vector<std::string>& words) {
    std::vector<BadInput> cases;
    for (const Place& place : Places()) {
      // The small bodies are cut off before their contents matter.
      const bool large = place.name == "batch" || place.name == "transaction";
      if (document.size() > 3000 && !large) continue;
      cases.push_back(
          Body(place.name + " with " + document.substr(0, 60), place.method, place.target, document, words));
    }
    Check(cases);
  }
  // Of one row each.
  void Write(const std::string& target, const std::string& headers, const std::string& body) {
    http::Headers given;
    if (!headers.empty()) given.emplace("Holdfast-Metadata", headers);
    const auto answer = service().Send("PUT", target, given, body);
    EXPECT_TRUE(answer.status == 201 || answer.status == 204) << target << ": " << answer.body;
  }
};
HOLDFAST_ON_BOTH_BACKENDS(FieldRulesTest);

TEST_P(FieldRulesTest, HoldAtEveryPlace) {
  // a member twice.
  CheckEverywhere(R"({"a":1,"a":2})", {"\"a\"", "twice"});
  CheckEverywhere(R"({"a":{"b":1,"\u0062":2}})", {"\"b\"", "twice"});

  // NaN, infinities, a number beyond double.
  for (const char* number : {"NaN", "Infinity", "-Infinity", "nan", "+1", "01", ".5", "1."}) {
    CheckEverywhere(fmt::format(R"({{"a":{}}})", number), {"byte", "JSON"});
  }
  for (const char* number : {"1e400", "-1e400", "1e99999999999"}) {
    CheckEverywhere(fmt::format(R"({{"a":{}}})", number), {"number", "range"});
  }

  // more than 64 levels, or a million values.
  for (const std::size_t levels : {65u, 30'000u}) {
    CheckEverywhere(std::string(levels, '[') + std::string(levels, ']'), {"64 levels"});
  }
  std::string many = "[0";
  for (int i = 0; i < 1'000'001; ++i) many += ",0";
  CheckEverywhere(many + "]", {"1000000 values"});

  // text that is not UTF-8: overlong, a lone surrogate, cut off.
  for (const char* text : {"\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    CheckEverywhere(fmt::format("{{\"a\":\"{}\"}}", text), {"UTF-8"});
    CheckEverywhere(fmt::format("{{\"{}\":1}}", text), {"UTF-8"});
  }

  // a lone surrogate written as `\ud800`.
  for (const char* escape : {R"(\ud800)", R"(\udc00)", R"(\ud800x)", R"(\ud800\ud800)"}) {
    CheckEverywhere(fmt::format(R"({{"a":"{}"}})", escape), {"byte", "JSON"});
  }

  // NUL.
  CheckEverywhere("\0{\"a\":1}"s, {"byte 1"});
  CheckEverywhere("{\"a\":1}\0"s, {"byte 8"});

  // something behind the document, or a document cut off.
  for (const char* document :
       {R"({"a":1} {})", R"({"a":1}x)", R"({"a":1},)", R"({"a":1)", R"({"a":"b)", "{", "[", " "}) {
    CheckEverywhere(document, {"byte", "JSON"});
  }
}

TEST_P(FieldRulesTest, HoldForIntegers) {
  const std::string by = R"({"op":"increment","key":"n","by":)";
  std::vector<BadInput> cases;
  for (const char* number : {"9223372036854775808", "-9223372036854775809", "18446744073709551616", "1e30", "1.0",
                             "1e2", "0.5", "-0.0", "\"1\"", "true", "null", "[1]"}) {
    cases.push_back(Batch(by + number + "}", {"operations[1].by", "integer"}));
    cases.push_back(Body(fmt::format("increment by {}", number), "POST", kBase + "keys/n?action=increment",
                         fmt::format(R"({{"by":{}}})", number), {"by", "integer"}));
    cases.push_back(Body(fmt::format("quota of {}", number), "PUT", "/v1/namespaces/team-a",
                         fmt::format(R"({{"bytes":{}}})", number), {"bytes", "whole number"}));
  }
  // No member may be null to mean that it is not there, but the quota's, which has none then.
  std::erase_if(cases, [](const BadInput& input) { return input.name == "quota of null"; });
  cases.push_back(Body("quota of -1", "PUT", "/v1/namespaces/team-a", R"({"bytes":-1})", {"bytes"}));
  Check(cases);
}

TEST_P(FieldRulesTest, HoldForMembers) {
  Check({
      Batch(R"({"op":"put","key":"k","value":"1","tags":[""]})", {"operations[1].tags"}),
      Batch(R"({"op":"put","key":"k","value":"1","ttl":"0s"})", {"operations[1].ttl"}),
      Batch(R"({"op":"put","key":"k","value":"1","ttl":"NaN"})", {"operations[1].ttl"}),
      Batch(R"({"op":"put","key":"k","value":"1","metadata":"{}"})", {"operations[1].metadata", "object"}),
      Batch(R"({"op":"put","key":"k","value":"A","encoding":"base64"})", {"base64"}),
      Batch(R"({"op":"put","key":"k","value":"1","Value":"2"})", {"\"Value\"", "\"value\""}),
      Body("a condition without a test", "POST", kBase + "transaction", R"({"if":[{"key":"a"}],"then":[]})", {"if[0]"}),
      Body("a condition with two tests", "POST", kBase + "transaction",
           R"({"if":[{"key":"a","etag":"1","exists":true}],"then":[]})", {"if[0]"}),
      Body("owner empty", "POST", kBase + "locks/free", R"({"owner":""})", {"owner", "empty"}),
      Body("owner too long", "POST", kBase + "locks/free", fmt::format(R"({{"owner":"{}"}})", std::string(257, 'o')),
           {"owner", "257", "256", "locks.owner"}),
      Body("lock without end", "POST", kBase + "locks/free", R"({"owner":"me","ttl":"none"})", {"ttl"}),
      Body("lock with a TTL of 1e400", "POST", kBase + "locks/free", R"({"owner":"me","ttl":"1e400"})", {"ttl"}),
      Body("wait too long", "POST", kBase + "locks/free", R"({"owner":"me","wait":"1d"})",
           {"wait", "timeouts.maximum"}),
      Body("document no object", "PUT", kBase + "collections/c/documents/1", "[1]", {"object"}),
      Body("index path empty", "PUT", kBase + "collections/c", R"({"indexes":[""]})", {"index"}),
      Body("too many indexes", "PUT", kBase + "collections/c",
           R"({"indexes":["a","b","c","d","e","f","g","h","i","j","k","l","m","n","o","p","q"]})",
           {"16", "limits.collection_indexes"}),
  });
  // an empty tag.
  // an empty key.
}

// What looks bad and is not: it is kept exactly.
TEST_P(FieldRulesTest, KeepWhatTheyAllow) {
  Write(kBase + "keys/empty", "{}", "");
  const auto empty = service().Send("GET", kBase + "keys/empty");
  EXPECT_EQ(empty.status, 200);
  EXPECT_EQ(empty.body, "");
  EXPECT_EQ(empty.headers.find("Holdfast-Metadata")->second, "{}");

  Write(kBase + "keys/big", R"({"n":18446744073709551616})", "1");
  EXPECT_EQ(service().Send("GET", kBase + "keys/big").headers.find("Holdfast-Metadata")->second,
            R"({"n":18446744073709551616})");

  // U+202E, and the same letter composed and decomposed.
  const std::vector<std::string> keys = {"%E2%80%AEa", "%C3%A9", "e%CC%81", "%00", "%ff"};
  for (const std::string& key : keys) Write(kBase + "keys/" + key, "", key);
  for (const std::string& key : keys) EXPECT_EQ(service().Send("GET", kBase + "keys/" + key).body, key);
  const auto written = service().Json("POST", kBase + "batch", R"({"operations":[
      {"op":"put","key":"\u0000","value":"\u0000"},{"op":"increment","key":"least","by":-9223372036854775808},
      {"op":"increment","key":"most","by":9223372036854775807}]})");
  for (const auto& result : written.at("results")) EXPECT_LT(result.at("status"), 300) << result;
  EXPECT_EQ(service().Send("GET", kBase + "keys/%00").body, "\0"s);
  EXPECT_EQ(service().Send("GET", kBase + "keys/least").body, "-9223372036854775808");

  const std::string all = service().Send("GET", kBase + "keys").body;
  EXPECT_EQ(service().Send("GET", kBase + "keys?prefix=&start=&end=&cursor=&delimiter=&filter=").body, all);
}

// The table of the documentation and the cases above are the same.
TEST(FieldRules, AreTheDocumentedOnes) {
  const std::set<std::string> tested = {
      "a member twice",
      "NaN, infinities, a number beyond double",
      "an integer beyond 64 signed bits",
      "a fraction, or an exponent (`1.0`), where an integer is asked for",
      "more than 64 levels, or a million values",
      "text that is not UTF-8: overlong, a lone surrogate, cut off",
      "a lone surrogate written as `\\ud800`",
      "NUL",
      "U+202E, composed and decomposed letters",
      "something behind the document, or a document cut off",
      "an empty key",
      "an empty value, an empty `metadata` object",
      "an empty tag",
      "an empty `prefix`, `start`, `end`, `cursor`, `delimiter`, `filter`",
  };
  std::ifstream page(HOLDFAST_DOCS "/api.md");
  std::set<std::string> documented;
  bool in_table = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("| What is sent ")) in_table = true;
    if (!in_table) continue;
    if (!line.starts_with("| ")) {
      if (line.empty()) break;
      continue;
    }
    documented.insert(line.substr(2, line.find(" |", 2) - 2));
  }
  documented.erase("What is sent");
  EXPECT_EQ(documented, tested) << "a rule needs a case in this file";
}

}  // namespace
}  // namespace holdfast
