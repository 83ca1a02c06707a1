// Requests that are malformed or out of bounds in their framing, paths, queries and headers, over a real socket.
#include "tests/integration/service/bad_input.h"

#include <fmt/format.h>

#include "tests/integration/http_framing/raw_client.h"
#include "tests/integration/service/store_dump.h"

namespace holdfast {
namespace {

using namespace std::string_literals;

const std::string kKeys = "/v1/stores/main/keys";
const std::string kKey = kKeys + "/a";

HOLDFAST_ON_BOTH_BACKENDS(BadInputTest);

BadInput Framing(const std::string& name, std::string bytes, const std::vector<std::string>& words, int status = 400) {
  const bool too_large = status == 413 || status == 414 || status == 431;
  const char* const code = too_large ? "too_large" : status == 408 ? "deadline_exceeded" : "invalid_argument";
  return {name, std::move(bytes), status, code, words, true};
}
std::string Put(const std::string& headers, const std::string& body = "") {
  return fmt::format("PUT {} HTTP/1.1\r\nHost: x\r\n{}\r\n{}", kKey, headers, body);
}
std::string Chunked(const std::string& body) {
  return Put("Transfer-Encoding: chunked\r\n", body);
}

// Every row of the framing suite (tests/integration/http_framing) has its kin here, in front of a real store.
TEST_P(BadInputTest, FramingIsRefusedAndEndsTheConnection) {
  std::string many;
  for (int i = 0; i < 101; ++i) many += "A: b\r\n";
  Check({
      Framing("two lengths", Put("Content-Length: 1\r\nContent-Length: 2\r\n", "2"), {"Content-Length"}),
      Framing("two equal lengths", Put("Content-Length: 1\r\nContent-Length: 1\r\n", "2"), {"Content-Length"}),
      Framing("length and coding", Put("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
              {"Transfer-Encoding"}),
      Framing("coding and length", Put("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", "0\r\n\r\n"),
              {"Content-Length"}),
      Framing("unknown coding", Put("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), {"Transfer-Encoding"}),
      Framing("length no number", Put("Content-Length: 0x1\r\n", "2"), {"Content-Length"}),
      Framing("bare LF behind the request line", fmt::format("DELETE {} HTTP/1.1\nHost: x\r\n\r\n", kKey), {"CRLF"}),
      Framing("bare LF behind a header", Put("A: b\nContent-Length: 1\r\n", "2"), {"CRLF"}),
      Framing("NUL in the path", "DELETE /v1/stores/main/keys/a\0 HTTP/1.1\r\nHost: x\r\n\r\n"s, {}),
      Framing("NUL in a header", Put("A: b\0c\r\nContent-Length: 1\r\n"s, "2"), {}),
      Framing("blank before the colon", Put("Content-Length : 1\r\n", "2"), {}),
      Framing("folded header", Put("A: b\r\n c\r\nContent-Length: 1\r\n", "2"), {}),
      Framing("no Host", fmt::format("DELETE {} HTTP/1.1\r\n\r\n", kKey), {"Host"}),
      Framing("request line too long", fmt::format("GET {}/{} HTTP/1.1\r\n", kKeys, std::string(9000, 'k')),
              {"8192", "limits.request_line"}, 414),
      Framing("header too long", Put("A: " + std::string(17'000, 'a') + "\r\n"), {"16384", "limits.header"}, 431),
      Framing("too many headers", Put(many), {"100", "limits.header_count"}, 431),
      Framing("body too long", Put("Content-Length: 65537\r\n"), {"65537", "65536"}, 413),
      Framing("body length near 2^64", Put("Content-Length: 18446744073709551615\r\n"), {"65536"}, 413),
      Framing("chunks too long", Chunked("10001\r\n"), {"65536"}, 413),
      Framing("chunk of 2^64", Chunked("10000000000000000\r\nx\r\n0\r\n\r\n"), {"chunk"}),
      Framing("chunk size no number", Chunked("0x1\r\nx\r\n0\r\n\r\n"), {"chunk"}),
      Framing("chunk without its end", Chunked("1\r\nxy\r\n0\r\n\r\n"), {"chunk"}),
      Framing("chunk extension too long", Chunked("1;" + std::string(300, 'a') + "\r\nx\r\n0\r\n\r\n"),
              {"256", "limits.chunk_line"}),
      Framing("trailer malformed", Chunked("1\r\nx\r\n0\r\nno colon\r\n\r\n"), {}),
      Framing("expectation", Put("Expect: 200-maybe\r\nContent-Length: 1\r\n", "2"), {"Expect"}, 417),
  });
}

// What the cases above would prove nothing without: behind a sound request the canary writes, and the dump shows it.
TEST_P(BadInputTest, TheCanaryWritesBehindASoundRequest) {
  const std::string before = DumpOf(service(), {"main"});
  api::testing::RawClient client(service().port());
  client.Send(RequestOf("GET", kKey) + RequestOf("PUT", "/v1/stores/main/keys/canary", "", "smuggled"));
  EXPECT_EQ(client.ReadResponse()->status, 200);
  EXPECT_EQ(client.ReadResponse()->status, 201);
  const std::string after = DumpOf(service(), {"main"});
  EXPECT_NE(after, before);
  EXPECT_THAT(after, testing::HasSubstr("smuggled"));
}

// Answered when the time is over; what was sent is not used.
TEST_P(BadInputTest, SlowRequestsAreRefusedAndEndTheConnection) {
  Check({
      Framing("head", fmt::format("PUT {} HTTP/1.1\r\nHost: x\r\n", kKey), {"head", "300 ms"}, 408),
      Framing("body", Put("Content-Length: 10\r\n", "12345"), {"body", "300 ms"}, 408),
      Framing("chunk", Chunked("a\r\n12345"), {"body", "300 ms"}, 408),
      Framing("next chunk", Chunked("5\r\n12345\r\n"), {"body", "300 ms"}, 408),
      Framing("trailer", Chunked("5\r\n12345\r\n0\r\nA: b\r\n"), {"body", "300 ms"}, 408),
  });
}

TEST_P(BadInputTest, Paths) {
  const std::string base = "/v1/stores/main/";
  std::vector<BadInput> cases;
  for (const char* method : {"GET", "PUT", "DELETE"}) {
    const std::string text = method;
    cases.push_back({text + " key of 513 bytes",
                     RequestOf(method, kKeys + "/" + std::string(513, 'k')),
                     400,
                     "invalid_argument",
                     {"key", "513", "512", "limits.key"}});
    cases.push_back({text + " key of 513 escapes",
                     RequestOf(
                         method, kKeys + "/" +
                                     [] {
                                       std::string escapes;
                                       for (int i = 0; i < 513; ++i) escapes += "%00";
                                       return escapes;
                                     }()),
                     400,
                     "invalid_argument",
                     {"513", "limits.key"}});
    cases.push_back({text + " empty key", RequestOf(method, kKeys + "/"), 400, "invalid_argument", {"key", "empty"}});
    for (const char* escape : {"%", "%4", "%zz", "%%41", "a%0g"}) {
      cases.push_back(
          {text + " key " + escape, RequestOf(method, kKeys + "/" + escape), 400, "invalid_argument", {"%25"}});
    }
  }
  const std::string body = R"({"owner":"me"})";
  cases.insert(
      cases.end(),
      {
          {"lock name of 513",
           RequestOf("POST", base + "locks/" + std::string(513, 'l'), "", body),
           400,
           "invalid_argument",
           {"name", "513", "limits.key"}},
          {"empty lock name", RequestOf("POST", base + "locks/", "", body), 400, "invalid_argument", {"empty"}},
          {"document id of 513",
           RequestOf("PUT", base + "collections/c/documents/" + std::string(513, 'd'), "", "{}"),
           400,
           "invalid_argument",
           {"id", "513", "limits.key"}},
          {"document id not UTF-8",
           RequestOf("PUT", base + "collections/c/documents/%ff", "", "{}"),
           400,
           "invalid_argument",
           {"UTF-8"}},
          {"collection ..",
           RequestOf("PUT", base + "collections/..", "", R"({"indexes":[]})"),
           400,
           "invalid_argument",
           {"collection"}},
          {"namespace of 64",
           RequestOf("PUT", "/v1/namespaces/" + std::string(64, 'n'), "", "{}"),
           400,
           "invalid_argument",
           {"63"}},
          {"unknown store", RequestOf("PUT", "/v1/stores/mian/keys/a", "", "2"), 404, "not_found", {"main"}},
          {"wrong method", RequestOf("PATCH", kKey, "", "2"), 405, "invalid_argument", {"PATCH", "PUT"}},
      });
  Check(cases);
}

// 512 bytes, dots, NUL and slashes are ordinary: different keys that come back as they were written, and no other.
TEST_P(BadInputTest, KeysThatLookBadAreOrdinary) {
  std::vector<std::string> written = {".",   "..",   "...", "./a", "../a", "a/..", "a/.",
                                      "%00", "a%00", "%2F", "//",  "a//",  "+",    "%C3%A9"};
  written.push_back(std::string(512, 'k'));
  api::testing::RawClient client(service().port());
  for (const std::string& key : written) {
    client.Send(RequestOf("PUT", kKeys + "/" + key, "", "value of " + key));
    EXPECT_EQ(client.ReadResponse()->status, 201) << key;
  }
  for (const std::string& key : written) {
    client.Send(RequestOf("GET", kKeys + "/" + key));
    EXPECT_EQ(client.ReadResponse()->body, "value of " + key);
  }
  // Decoded once.
  for (const auto& [spelling, key] : {std::pair("%2e%2e", ".."), std::pair("%2E", "."), std::pair("a%2f..", "a/.."),
                                      std::pair("%2b", "+"), std::pair("\xc3\xa9", "%C3%A9")}) {
    client.Send(RequestOf("GET", kKeys + "/" + spelling));
    EXPECT_EQ(client.ReadResponse()->body, std::string("value of ") + key);
  }
  client.Send(RequestOf("GET", kKeys + "/%252e"));
  EXPECT_EQ(client.ReadResponse()->status, 404);
}

TEST_P(BadInputTest, Queries) {
  const auto list = [](const std::string& query, const std::vector<std::string>& words) {
    return BadInput{query, RequestOf("GET", kKeys + "?" + query), 400, "invalid_argument", words};
  };
  Check({
      list("limit=1000000000", {"limit", "10000"}),
      list("limit=0", {"limit", "10000"}),
      list("limit=-1", {"limit", "10000"}),
      list("limit=1.0", {"limit", "10000"}),
      list("limit=1e3", {"limit", "10000"}),
      list("limit=%201", {"limit", "10000"}),
      list("limit=", {"limit", "10000"}),
      list("limit=18446744073709551617", {"limit", "10000"}),
      list("limit=1&limit=1", {"limit", "twice"}),
      list("lmit=1", {"\"lmit\"", "\"limit\""}),
      list("=1", {"unknown query parameter"}),
      list("%ff=1", {"UTF-8"}),
      list("prefix=%zz", {"prefix", "%25"}),
      list("prefix=a&prefix=b", {"prefix", "twice"}),
      list("order=up", {"order", "asc", "desc"}),
      list("order=", {"order", "asc", "desc"}),
      list("values=yes", {"values", "true", "false"}),
      list("filter=size%20~%201", {"filter"}),
      list("filter=%ff", {"filter"}),
      {"delete without prefix", RequestOf("DELETE", kKeys), 400, "invalid_argument", {"prefix", "confirm=all"}},
      {"delete with empty prefix", RequestOf("DELETE", kKeys + "?prefix="), 400, "invalid_argument", {"confirm=all"}},
      {"delete twice", RequestOf("DELETE", kKeys + "?prefix=a&prefix="), 400, "invalid_argument", {"twice"}},
      {"delete unknown", RequestOf("DELETE", kKeys + "?prefix=a&dry_run=1"), 400, "invalid_argument", {"dry_run"}},
      {"no action", RequestOf("POST", kKey), 400, "invalid_argument", {"action"}},
      {"unknown action", RequestOf("POST", kKey + "?action=tuoch"), 400, "invalid_argument", {"action", "touch"}},
      {"action twice", RequestOf("POST", kKey + "?action=take&action=take"), 400, "invalid_argument", {"twice"}},
      {"unlock without lease", RequestOf("DELETE", "/v1/stores/main/locks/held"), 400, "invalid_argument", {"lease"}},
      {"unlock with empty lease",
       RequestOf("DELETE", "/v1/stores/main/locks/held?lease="),
       400,
       "invalid_argument",
       {"lease"}},
      {"unlock with another lease",
       RequestOf("DELETE", "/v1/stores/main/locks/held?lease=0"),
       409,
       "failed_precondition",
       {"lease"}},
      {"since no position",
       RequestOf("GET", "/v1/stores/main/watch?wait=0&since=-1"),
       400,
       "invalid_argument",
       {"since"}},
      {"wait too long",
       RequestOf("GET", "/v1/stores/main/watch?wait=1d"),
       400,
       "invalid_argument",
       {"wait", "timeouts.maximum"}},
  });
}

TEST_P(BadInputTest, CursorsOfOtherLists) {
  const auto first_page = [this](const std::string& store, const http::Headers& headers, const std::string& query) {
    const auto page = service().Send("GET", "/v1/stores/" + store + "/keys?limit=1" + query, headers);
    return nlohmann::json::parse(page.body).at("cursor").get<std::string>();
  };
  const std::string own = first_page("main", {}, "");
  ASSERT_GT(own.size(), 8u);
  std::string flipped = own;
  flipped[own.size() / 2] = flipped[own.size() / 2] == 'A' ? 'B' : 'A';
  const std::pair<std::string, std::string> rows[] = {
      {"garbage", "garbage"},
      {"not base64", "%2a%2a%2a"},
      {"forged", flipped},
      {"truncated", own.substr(0, own.size() - 1)},
      {"of one byte", own.substr(0, 1)},
      {"longer", own + "A"},
      {"very long", std::string(7000, 'A')},
      {"of another store", first_page("other", {}, "")},
      {"of another tenant", first_page("main", {{"Holdfast-Namespace", "team-a"}}, "")},
      {"of another order", first_page("main", {}, "&order=desc")},
  };
  std::vector<BadInput> cases;
  for (const auto& [name, cursor] : rows) {
    cases.push_back(
        {"cursor " + name, RequestOf("GET", kKeys + "?cursor=" + cursor), 400, "invalid_argument", {"cursor"}});
  }
  cases.push_back({"own cursor in another tenant",
                   RequestOf("GET", kKeys + "?cursor=" + own, "Holdfast-Namespace: team-a\r\n"),
                   400,
                   "invalid_argument",
                   {"cursor"}});
  Check(cases);
  EXPECT_EQ(service().Send("GET", kKeys + "?cursor=" + own).status, 200) << "the cursor itself is good";
}

TEST_P(BadInputTest, Headers) {
  const auto put = [](const std::string& header, const std::vector<std::string>& words) {
    return BadInput{header, RequestOf("PUT", kKey, header + "\r\n", "2"), 400, "invalid_argument", words};
  };
  Check({
      put("Holdfast-TTL: 0", {"TTL", "duration above zero"}),
      put("Holdfast-TTL: -1", {"TTL", "duration above zero"}),
      put("Holdfast-TTL: soon", {"TTL", "30s"}),
      put("Holdfast-TTL:", {"TTL", "30s"}),
      put("Holdfast-TTL: 1e400", {"TTL", "30s"}),
      put("Holdfast-TTL: NaN", {"TTL", "30s"}),
      put("Holdfast-TTL: 9223372036854775808", {"TTL"}),
      put("Holdfast-TTL: 1s\r\nHoldfast-TTL: 1s", {"Holdfast-TTL", "twice"}),
      put("Holdfast-TLT: 1s", {"\"Holdfast-TLT\"", "Holdfast-TTL"}),
      put("Holdfast-Metadata: {\"a\":1,\"a\":2}", {"metadata", "twice"}),
      put("Holdfast-Metadata: [1]", {"metadata", "object"}),
      put("Holdfast-Metadata: {\"a\":NaN}", {"metadata", "byte"}),
      put("Holdfast-Metadata: {\"a\":1e400}", {"metadata"}),
      put("Holdfast-Metadata: {\"a\":1} {}", {"metadata", "byte"}),
      put("Holdfast-Metadata: {\"a\":\"\\ud800\"}", {"metadata", "byte"}),
      put("Holdfast-Metadata: {\"a\":\"\xff\"}", {"metadata", "UTF-8"}),
      put("Holdfast-Metadata: {\"a\":" + std::string(70, '[') + std::string(70, ']') + "}", {"metadata", "64"}),
      put("Holdfast-Metadata: {\"a\":\"" + std::string(4096, 'x') + "\"}", {"metadata", "4096", "limits.metadata"}),
      put("Holdfast-Tags: a,,b", {"tag"}),
      put("Holdfast-Tags:", {"tag"}),
      put("Holdfast-Tags: " + std::string(129, 't'), {"129", "128", "limits.tag"}),
      put("Holdfast-Tags: \xff", {"tag", "UTF-8"}),
      put("Content-Type: " + std::string(257, 't'), {"content type", "256", "limits.content_type"}),
      put("Content-Encoding: gzip", {"Content-Encoding"}),
      put("If-Match: 7", {"If-Match", "double quotes"}),
      put("If-Match: \"7\", \"8\"", {"If-Match"}),
      put("If-Match: W/\"7\"", {"If-Match"}),
      put("If-Match: \"7\"\r\nIf-None-Match: *", {"If-Match"}),
      put("If-None-Match: \"7\"", {"If-None-Match", "If-Match"}),
      put("Holdfast-Timeout: 0", {"Holdfast-Timeout"}),
      put("Holdfast-Timeout: 1d", {"Holdfast-Timeout", "timeouts.maximum"}),
      put("Holdfast-Namespace: Team_A", {"Holdfast-Namespace", "63"}),
      put("Holdfast-Namespace:", {"Holdfast-Namespace"}),
      put("Holdfast-Fence: a", {"Holdfast-Fence"}),
      put("Holdfast-Fence: a=18446744073709551616", {"Holdfast-Fence"}),
      {"touch without TTL", RequestOf("POST", kKey + "?action=touch"), 400, "invalid_argument", {"Holdfast-TTL"}},
      {"touch with keep",
       RequestOf("POST", kKey + "?action=touch", "Holdfast-TTL: keep\r\n"),
       400,
       "invalid_argument",
       {"keep"}},
      {"a batch as XML",
       RequestOf("POST", "/v1/stores/main/batch", "Content-Type: text/xml\r\n", R"({"operations":[]})"),
       415,
       "invalid_argument",
       {"Content-Type", "application/json"}},
  });
}

}  // namespace
}  // namespace holdfast
