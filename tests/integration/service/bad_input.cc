#include "tests/integration/service/bad_input.h"

#include <fmt/format.h>

#include "tests/integration/http_framing/raw_client.h"
#include "tests/integration/service/store_dump.h"

namespace holdfast {
namespace {

constexpr std::size_t kLongestName = 80;
const std::vector<std::string> kStores = {"main", "other"};

}  // namespace

std::string RequestOf(const std::string& method, const std::string& target, const std::string& headers,
                      const std::string& body) {
  std::string request = fmt::format("{} {} HTTP/1.1\r\nHost: x\r\n{}", method, target, headers);
  if (!body.empty()) request += fmt::format("Content-Length: {}\r\n", body.size());
  return request.append("\r\n").append(body);
}

void BadInputTest::SetUp() {
  service_ =
      std::make_unique<Service>(folder_, GetParam(),
                                "stores: {main: {backend: local}, other: {backend: local}}\ndefault_store: main\n"
                                "limits: {value: 64Ki, batch_body: 5Mi}\ntimeouts: {header: 300ms, body: 300ms}\n");
  for (const std::string& store : kStores) {
    const std::string base = "/v1/stores/" + store;
    for (const std::string name_space : {"default", "team-a"}) {
      const http::Headers inside{{"Holdfast-Namespace", name_space}, {"Holdfast-Metadata", R"({"a":1})"}};
      for (const char* key : {"a", "b", "n"}) service().Send("PUT", base + "/keys/" + key, inside, "1");
    }
    service().Send("PUT", base + "/collections/c", {}, R"({"indexes":["state"]})");
    service().Send("PUT", base + "/collections/c/documents/1", {}, R"({"state":"Active"})");
  }
  service().Send("PUT", "/v1/namespaces/team-a", {}, R"({"bytes":100000})");
  lease_ = service().Json("POST", "/v1/stores/main/locks/held", R"({"owner":"me","ttl":"1h"})").value("lease", "");
  before_ = DumpOf(service(), kStores);
  ASSERT_NE(before_.find(R"("key":"a")"), std::string::npos) << before_;
  ASSERT_NE(before_.find("Active"), std::string::npos) << before_;
  ASSERT_NE(before_.find(R"("holder":"me")"), std::string::npos) << before_;
}

void BadInputTest::Check(const std::vector<BadInput>& cases) {
  for (const BadInput& input : cases) {
    SCOPED_TRACE(input.name.substr(0, kLongestName));
    CheckOne(input);
  }
  EXPECT_TRUE(service().process().Running());
}

void BadInputTest::CheckOne(const BadInput& input) {
  api::testing::RawClient client(service().port());
  client.Send(input.bytes);
  // Behind what is still to be completed it would only be the rest of that.
  if (input.closes && input.status != 408) client.Send(RequestOf("PUT", "/v1/stores/main/keys/canary", "", "smuggled"));
  const auto answer = client.ReadResponse();
  ASSERT_TRUE(answer) << "no answer";
  EXPECT_EQ(answer->status, input.status) << answer->body;
  const auto type = answer->headers.find("content-type");
  EXPECT_EQ(type == answer->headers.end() ? "" : type->second, "application/problem+json");
  const auto problem = nlohmann::json::parse(answer->body, nullptr, false);
  ASSERT_TRUE(problem.is_object()) << answer->body;
  EXPECT_EQ(problem.value("code", ""), input.code) << answer->body;
  EXPECT_EQ(problem.value("status", 0), input.status);
  EXPECT_EQ(problem.value("trace_id", "").size(), 32u);
  for (const std::string& word : input.words) {
    EXPECT_THAT(problem.value("detail", ""), testing::HasSubstr(word));
  }
  EXPECT_EQ(DumpOf(service(), kStores), before_) << "something was changed";
  if (input.closes) {
    EXPECT_EQ(answer->headers.count("connection") == 1 ? answer->headers.at("connection") : "", "close");
    EXPECT_EQ(client.ReadToEnd(), "") << "the connection goes on";
    return;
  }
  client.Send(RequestOf("GET", "/v1/stores/main/keys/b"));
  const auto next = client.ReadResponse();
  ASSERT_TRUE(next) << "the connection has ended";
  EXPECT_EQ(next->status, 200);
  EXPECT_EQ(next->body, "1");
}

}  // namespace holdfast
