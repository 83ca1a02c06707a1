// The same API in CBOR and MessagePack.
#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

using nlohmann::json;
using namespace std::string_literals;

const std::string kStore = "/v1/stores/main";

std::vector<std::uint8_t> BytesOf(const std::string& text) {
  return {text.begin(), text.end()};
}

json Binary(const std::string& text) {
  return json::binary(BytesOf(text));
}

std::string Encode(const std::string& type, const json& value) {
  const auto bytes = type == "application/cbor" ? json::to_cbor(value) : json::to_msgpack(value);
  return {bytes.begin(), bytes.end()};
}

json Decode(const std::string& type, const std::string& body) {
  return type == "application/cbor" ? json::from_cbor(BytesOf(body)) : json::from_msgpack(BytesOf(body));
}

class FormatsTest : public testing::TestWithParam<std::string> {
 protected:
  Answer Post(const std::string& target, const json& body) {
    return api_.Send("POST", kStore + target, {{"Content-Type", GetParam()}, {"Accept", GetParam()}},
                     Encode(GetParam(), body));
  }
  json Read(const Answer& answer) {
    EXPECT_EQ(answer.content_type, GetParam());
    return Decode(GetParam(), answer.body);
  }

  ApiHarness api_;
};

TEST_P(FormatsTest, MemoryBytesAreBytesInBatches) {
  const std::string key = "\0\xff key"s;
  const std::string value = "\x80\x81\0"s;
  const Answer answer = Post("/batch", {{"operations",
                                         {{{"op", "put"},
                                           {"key", Binary(key)},
                                           {"value", Binary(value)},
                                           {"metadata", {{"n", 5}, {"f", 2.5}, {"s", nullptr}}},
                                           {"tags", {"eu"}}},
                                          {{"op", "put"}, {"key", "text"}, {"value", "also text"}},
                                          {{"op", "get"}, {"key", Binary(key)}},
                                          {{"op", "increment"}, {"key", "n"}, {"by", INT64_MAX}},
                                          {{"op", "get"}, {"key", "gone"}}}}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json results = Read(answer).at("results");
  EXPECT_EQ(results[0].at("status"), 201);
  EXPECT_EQ(results[1].at("status"), 201);
  EXPECT_EQ(results[2].at("value"), Binary(value));
  EXPECT_FALSE(results[2].contains("encoding"));
  EXPECT_EQ(results[2].at("metadata"), (json{{"n", 5}, {"f", 2.5}, {"s", nullptr}}));
  EXPECT_EQ(results[2].at("tags"), json{"eu"});
  EXPECT_EQ(results[3].at("value"), INT64_MAX);
  EXPECT_EQ(results[4].at("error").at("code"), "not_found");
  EXPECT_EQ(api_.Send("GET", kStore + "/keys/%00%ff%20key").body, value);

  const json items = Read(api_.Send("GET", kStore + "/keys?values=true", {{"Accept", GetParam()}})).at("items");
  EXPECT_EQ(items[0].at("key"), Binary(key));
  EXPECT_EQ(items[0].at("value"), Binary(value));
  EXPECT_FALSE(items[0].contains("encoding"));
  EXPECT_EQ(items[2].at("value"), Binary("also text"));
}

TEST_P(FormatsTest, MemoryTransactionsIncrementsAndTheRest) {
  const Answer committed = Post("/transaction", {{"if", {{{"key", Binary("a")}, {"exists", false}}}},
                                                 {"then", {{{"op", "put"}, {"key", "a"}, {"value", Binary("\xff")}}}}});
  ASSERT_EQ(committed.status, 200) << committed.body;
  EXPECT_EQ(Read(committed).at("committed"), true);
  const Answer compared = Post(
      "/transaction", {{"if", {{{"key", "a"}, {"value", Binary("\xff")}}}}, {"then", {{{"op", "get"}, {"key", "a"}}}}});
  EXPECT_EQ(Read(compared).at("results")[0].at("value"), Binary("\xff"));
  EXPECT_EQ(Read(Post("/keys/n?action=increment", {{"by", 7}})).at("value"), 7);
  EXPECT_EQ(Read(api_.Send("GET", kStore + "/count", {{"Accept", GetParam()}})).at("count"), 2);
  EXPECT_EQ(Read(api_.Send("GET", kStore, {{"Accept", GetParam()}})).at("name"), "main");
  const json prefixes = Read(api_.Send("GET", kStore + "/keys?delimiter=a", {{"Accept", GetParam()}})).at("prefixes");
  EXPECT_EQ(prefixes, json::array({Binary("a")}));
}

TEST_P(FormatsTest, MemoryProblemsToo) {
  const Answer answer = api_.Send("GET", kStore + "/keys?limit=0", {{"Accept", GetParam()}});
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(Read(answer).at("code"), "invalid_argument");
}

TEST_P(FormatsTest, MemoryTheSameStrictness) {
  const auto batch = [&](const json& operation) { return Post("/batch", {{"operations", {operation}}}).status; };
  EXPECT_EQ(batch({{"op", "get"}, {"key", "k"}, {"keey", 1}}), 400);
  EXPECT_EQ(batch({{"op", Binary("get")}, {"key", "k"}}), 400);
  EXPECT_EQ(batch({{"op", "put"}, {"key", "k"}, {"value", 5}}), 400);
  EXPECT_EQ(batch({{"op", "put"}, {"key", "k"}, {"value", "v"}, {"metadata", {{"b", Binary("x")}}}}), 400);
  EXPECT_EQ(batch({{"op", "put"}, {"key", Binary("k")}, {"value", "v"}, {"encoding", "base64"}}), 400);
  EXPECT_EQ(batch({{"op", "increment"}, {"key", "k"}, {"by", 1.0}}), 400);
  EXPECT_EQ(batch({{"op", "increment"}, {"key", "k"}, {"by", UINT64_MAX}}), 400);
  EXPECT_EQ(Post("/keys/n?action=increment", {{"by", Binary("1")}}).status, 400);
  json deep = 1;
  for (int i = 0; i < 70; ++i) deep = json::array({deep});
  EXPECT_EQ(Post("/batch", deep).status, 400);
  const std::string body = Encode(GetParam(), {{"operations", json::array()}});
  const HeaderList headers = {{"Content-Type", GetParam()}};
  EXPECT_EQ(api_.Send("POST", kStore + "/batch", headers, body).status, 200);
  EXPECT_EQ(api_.Send("POST", kStore + "/batch", headers, body + "x").status, 400);
  EXPECT_EQ(api_.Send("POST", kStore + "/batch", headers, body.substr(0, body.size() - 1)).status, 400);
  EXPECT_EQ(api_.Send("POST", kStore + "/batch", headers, "").status, 400);
  EXPECT_EQ(api_.Send("GET", kStore + "/count").Json().at("count"), 0) << "nothing of it was done";
}

INSTANTIATE_TEST_SUITE_P(Memory, FormatsTest, testing::Values("application/cbor", "application/msgpack"),
                         [](const auto& tested) { return tested.param == "application/cbor" ? "cbor" : "msgpack"; });

TEST(AcceptTest, MemoryTheBestOfWhatIsAcceptedWins) {
  ApiHarness api;
  const std::pair<std::string, std::string> rows[] = {
      {"*/*", "application/json"},
      {"text/html", "application/json"},
      {"", "application/json"},
      {"application/cbor", "application/cbor"},
      {"APPLICATION/CBOR", "application/cbor"},
      {"*/*, application/cbor", "application/cbor"},
      {"application/json, application/cbor", "application/json"},
      {"application/json;q=0.5, application/cbor;q=0.6", "application/cbor"},
      {"application/cbor;q=0.5, application/json", "application/json"},
      {"application/cbor;q=0, */*;q=0.1", "application/json"},
      {"application/msgpack; q=0.123, application/json; q=0.122", "application/msgpack"},
      {"application/x-msgpack", "application/msgpack"},
      {"application/vnd.msgpack", "application/msgpack"},
      {"application/x-ndjson;q=0.5, application/json", "application/json"},
      {"application/x-ndjson, application/json;q=0.9", "application/x-ndjson"},
  };
  for (const auto& [accept, type] : rows) {
    EXPECT_EQ(api.Send("GET", "/v1/stores/main/keys", {{"Accept", accept}}).content_type, type) << accept;
  }
  EXPECT_EQ(api.Send("GET", "/v1/stores", {{"Accept", "application/x-ndjson"}}).status, 501);
  EXPECT_EQ(api.Send("GET", "/v1/stores", {{"Accept", "application/x-ndjson, */*;q=0.1"}}).status, 200);
}

}  // namespace
}  // namespace holdfast::api
