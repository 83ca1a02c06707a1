// What clients send never becomes part of a statement, wherever they put it: PostgreSQL answers as memory does, and the
// server's log of statements holds nothing of it.
#include <fmt/format.h>

#include "tests/integration/postgres/twin_services.h"
#include "tests/integration/service/canaries.h"

namespace holdfast {
namespace {

using namespace std::string_literals;

const std::string kStore = "/v1/stores/main";

// Each ends a literal, an identifier, a pattern, a document or a statement in somebody's dialect. ~ becomes a canary.
const std::vector<std::string>& Corpus() {
  static const std::vector<std::string> corpus = {
      "~",
      "'~",
      "''~''",
      "' OR '1'='1' -- ~",
      "~'; DROP TABLE holdfast.entries; --",
      "~'); DELETE FROM entries; COMMIT; --",
      "\"; DROP SCHEMA holdfast CASCADE; -- ~",
      "~') UNION SELECT rolpassword::bytea FROM pg_authid --",
      "'||pg_sleep(60)||'~",
      "$1 ~ $2",
      "$$~$$",
      "$tag$~$tag$; SELECT 1; $tag$",
      "\\'~",
      "\\x41~",
      "E'\\047~'",
      "U&'\\0027~'",
      "%~%",
      "_~_",
      "~*",
      "/*~*/",
      "~--",
      "~;",
      "{~}",
      "{\"~\",NULL}",
      "NULL~",
      "~::regclass",
      "{0}%s%n~",
      "~\nCOMMIT;\nDROP TABLE entries;",
      "~\0'; SELECT 1"s,
      "\xbf\x27~",
      "\xca\xbc~",
      "\xff\xfe~",
      "~\\",
  };
  return corpus;
}

std::string Json(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

bool FitsAHeader(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' - 1 && c < '\x7f'; });
}

class InjectionTest : public TwinServicesTest {
 protected:
  void AskAboutKeys(const std::string& text);
  void AskAboutLists(const std::string& text);
  void AskAboutCoordination(const std::string& text);
  void AskAboutDocuments(const std::string& text);
};

void InjectionTest::AskAboutKeys(const std::string& text) {
  const std::string path = http::PercentEncode(text);
  http::Headers attributes{{"Holdfast-Metadata", fmt::format("{{\"source\":{0},{0}:1}}", Json(text))}};
  if (FitsAHeader(text)) {
    attributes.insert({{"Holdfast-Tags", text}, {"Content-Type", text}});
    const http::Headers inside{{"Holdfast-Namespace", text}};
    Ask("PUT", kStore + "/keys/k", inside, text);
    Ask("GET", kStore + "/keys?values=true", inside);
    Ask("GET", kStore + "/keys/k", {{"If-None-Match", text}});
    Ask("PUT", kStore + "/keys/k", {{"If-Match", text}}, text);
    Ask("PUT", kStore + "/keys/k", {{"Holdfast-TTL", text}}, text);
    Ask("PUT", kStore + "/keys/k", {{"Holdfast-Fence", text + "=1"}}, text);
    Ask("POST", kStore + "/keys/k?action=increment", {{"Idempotency-Key", text}}, "{\"by\":1}");
  }
  Ask("PUT", kStore + "/keys/" + path, attributes, text);
  Ask("PUT", kStore + "/keys/" + path + "/below", {}, text);
  EXPECT_EQ(Ask("GET", kStore + "/keys/" + path + "/below").body, text);
  Ask("GET", kStore + "/keys/" + path);
  Ask("POST", kStore + "/keys/" + path + "?action=" + path);
  Ask("GET", "/v1/stores/" + path + "/keys/a");
  Ask("GET", "/v1/namespaces/" + path);
  AskJson("POST", kStore + "/batch",
          fmt::format(R"({{"operations":[{{"op":"put","key":{0},"value":{0},"metadata":{{"m":{0}}},"tags":[{0}]}},)"
                      R"({{"op":"get","key":{0}}},{{"op":{0},"key":"k"}}]}})",
                      Json(text)));
  AskJson("POST", kStore + "/transaction",
          fmt::format(R"({{"if":[{{"key":{0},"value":{0}}}],"then":[{{"op":"put","key":"then","value":{0}}}],)"
                      R"("else":[{{"op":"put","key":"else","value":{0}}}]}})",
                      Json(text)));
}

void InjectionTest::AskAboutLists(const std::string& text) {
  const std::string path = http::PercentEncode(text);
  Ask("GET", kStore + "/keys?values=true&prefix=" + path);
  Ask("GET", kStore + "/keys?start=" + path + "&end=" + path + "%ff");
  Ask("GET", kStore + "/keys?order=desc&start=" + path);
  Ask("GET", kStore + "/keys?delimiter=" + path);
  Ask("GET", kStore + "/count?prefix=" + path);
  for (const char* name : {"order", "cursor", "limit", "values", "nothing"}) {
    Ask("GET", fmt::format("{}/keys?{}={}", kStore, name, path));
  }
  const std::string quoted = Json(text);
  for (const std::string& filter : {text, fmt::format("metadata.source = {}", quoted),
                                    fmt::format("metadata.{} exists", quoted), fmt::format("metadata.{} = 1", text),
                                    fmt::format("tags has {}", quoted), fmt::format("key in (\"\",{})", quoted),
                                    fmt::format("content_type {} \"a\"", text), fmt::format("size > 0 and {}", text)}) {
    Ask("GET", kStore + "/keys?values=true&filter=" + http::PercentEncode(filter));
  }
  Ask("DELETE", kStore + "/keys?prefix=" + path + "%2fbelow");
}

void InjectionTest::AskAboutCoordination(const std::string& text) {
  const std::string path = http::PercentEncode(text);
  for (const char* kind : {"locks", "elections"}) {
    const std::string target = fmt::format("{}/{}/{}", kStore, kind, path);
    AskJson("POST", target, fmt::format(R"({{"owner":{},"ttl":"1h"}})", Json(text)));
    AskJson("POST", target, R"({"owner":"other","ttl":"1h"})");
    AskJson("PUT", target, fmt::format(R"({{"lease":{},"ttl":"1h"}})", Json(text)));
    Ask("DELETE", target + "?lease=" + path);
  }
  Ask("GET", kStore + "/locks/" + path);
  Ask("POST", kStore + "/channels/" + path, {}, text);
}

void InjectionTest::AskAboutDocuments(const std::string& text) {
  const std::string path = http::PercentEncode(text);
  const std::string quoted = Json(text);
  AskJson("PUT", kStore + "/collections/" + path, R"({"indexes":["f"]})");
  Ask("GET", kStore + "/collections/" + path);
  AskJson("PUT", kStore + "/collections/c/documents/" + path,
          fmt::format(R"({{"f":{0},{0}:{0},"deep":{{"a":[{0}]}}}})", quoted));
  Ask("GET", kStore + "/collections/c/documents/" + path);
  AskJson("PUT", kStore + "/collections/other", fmt::format(R"({{"indexes":[{}]}})", quoted));
  for (const std::string& filter :
       {text, fmt::format("f = {}", quoted), fmt::format("f >= {}", quoted), fmt::format("{} exists", quoted)}) {
    Ask("GET", kStore + "/collections/c/documents?filter=" + http::PercentEncode(filter));
    Ask("GET", kStore + "/collections/c/count?filter=" + http::PercentEncode(filter));
  }
  for (const char* name : {"order", "cursor", "limit"}) {
    Ask("GET", fmt::format("{}/collections/c/documents?{}={}", kStore, name, path));
  }
}

TEST_F(InjectionTest, postgres_injection_is_answered_as_the_model_does_and_not_logged) {
  Canaries canaries;
  const std::string schema = Schema();
  AskJson("PUT", kStore + "/collections/c", R"({"indexes":["f"]})");
  for (std::size_t i = 0; i < Corpus().size(); ++i) {
    std::string text = Corpus()[i];
    text.replace(text.find('~'), 1, canaries.Make(fmt::format("corpus {}", i)));
    SCOPED_TRACE(Json(text));
    AskAboutKeys(text);
    AskAboutLists(text);
    AskAboutCoordination(text);
    AskAboutDocuments(text);
  }
  const http::ClientResponse everything =
      Ask("GET", kStore + "/keys?values=true", {{"Accept", "application/x-ndjson"}});
  EXPECT_GT(everything.body.size(), Corpus().size() * 100);
  EXPECT_EQ(Schema(), schema);
  const std::string log = server().Log();
  for (const char* statement : {"write_entries", "FROM \"holdfast\".entries", "count(*)"}) {
    EXPECT_NE(log.find(statement), std::string::npos) << statement;
  }
  EXPECT_THAT(canaries.FoundIn(log), testing::IsEmpty());
}

// The control of the case above and of the one below: the log is one in which a value would be found.
TEST_F(InjectionTest, postgres_injection_the_search_finds_what_a_log_holds) {
  Canaries canaries;
  const std::string literal = canaries.Make("literal");
  const std::string bound = canaries.Make("bound");
  const std::string failed = canaries.Make("failed");
  auto session = Connect();
  ASSERT_TRUE(session.Query(fmt::format("SELECT '{}'", literal)).ok());
  EXPECT_THAT(canaries.FoundIn(server().Log()), testing::ElementsAre("literal"));
  ASSERT_TRUE(session.Execute("SET log_parameter_max_length = -1").ok());
  ASSERT_TRUE(session.Query("SELECT $1::text", {bound}).ok());
  ASSERT_TRUE(session.Execute("SET log_parameter_max_length = 0").ok());
  EXPECT_THAT(canaries.FoundIn(server().Log()), testing::ElementsAre("literal", "bound"));
  EXPECT_FALSE(session.Query("SELECT 1 / (length($1::text) - length($1::text))", {failed}).ok());
  EXPECT_THAT(canaries.FoundIn(server().Log()), testing::ElementsAre("literal", "bound", "failed"));
}

TEST_F(InjectionTest, postgres_injection_a_statement_that_fails_logs_nothing_bound_to_it) {
  Canaries canaries;
  const std::string canary = canaries.Make("failed");
  auto session = Connect();
  ASSERT_TRUE(session.Execute("BEGIN; LOCK TABLE holdfast.entries IN ACCESS EXCLUSIVE MODE").ok());
  const auto refused =
      on_postgres().Send("PUT", kStore + "/keys/" + canary, {{"Holdfast-Tags", canary}}, "value " + canary);
  EXPECT_EQ(refused.status, 503) << refused.body;
  ASSERT_TRUE(session.Execute("ROLLBACK").ok());
  const std::string log = server().Log();
  EXPECT_NE(log.find("canceling statement due to lock timeout"), std::string::npos);
  EXPECT_THAT(canaries.FoundIn(log), testing::IsEmpty());
  EXPECT_THAT(canaries.FoundIn(on_postgres().process().Errors()), testing::IsEmpty());
}

}  // namespace
}  // namespace holdfast
