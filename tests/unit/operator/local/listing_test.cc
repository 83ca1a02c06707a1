#include <gmock/gmock.h>

#include "operator/local/api_server/json_path.h"
#include "operator/local/api_server/selector.h"
#include "operator/local/api_server/table.h"
#include "tests/unit/operator/local/api_server_fixture.h"

namespace holdfast::local {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using ListingTest = ApiServerTest;

std::vector<std::string> Names(const Json& list) {
  std::vector<std::string> names;
  for (const Json& each : ArrayAt(list, {"items"})) names.push_back(NameOf(each));
  return names;
}

http::ServerRequest TableRequest(const std::string& target) {
  http::ServerRequest request;
  request.method = "GET";
  request.target = target;
  request.headers["Accept"] = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
  return request;
}

class Answered : public http::ResponseWriter {
 public:
  void Send(int, http::Headers, std::string text) override { body = Json::parse(text); }
  bool Begin(int, http::Headers) override { return false; }
  bool Write(std::string_view) override { return false; }
  bool Gone() const override { return false; }
  Json body;
};

TEST_F(ListingTest, PagesComeFromOneUnchangingSnapshot) {
  for (const char* name : {"a", "b", "c", "d"}) Create(MapPath(), Map(name));
  Reply first = Get(MapPath() + "?limit=2");
  EXPECT_THAT(Names(first.body), ElementsAre("a", "b"));
  std::string token = TextAt(first.body, {"metadata", "continue"});
  ASSERT_FALSE(token.empty());
  Delete(MapPath("c"));
  Create(MapPath(), Map("bb"));
  Reply second = Get(MapPath() + "?limit=2&continue=" + http::PercentEncode(token));
  EXPECT_THAT(Names(second.body), ElementsAre("c", "d"));
  EXPECT_EQ(RevisionOf(second), RevisionOf(first));
  EXPECT_EQ(TextAt(second.body, {"metadata", "continue"}), "");
  EXPECT_EQ(Get(MapPath() + "?limit=2&continue=nonsense").status, 400);
}

class ShortHistoryTest : public ApiServerTest {
 protected:
  ShortHistoryTest()
      : ApiServerTest([] {
          ApiServerOptions options;
          options.watch_history = 3;
          return options;
        }()) {}
};

TEST_F(ShortHistoryTest, ASnapshotOlderThanTheHistoryIsGone) {
  for (const char* name : {"a", "b", "c"}) Create(MapPath(), Map(name));
  std::string token = TextAt(Get(MapPath() + "?limit=1").body, {"metadata", "continue"});
  for (int i = 0; i < 5; ++i) MergePatch(MapPath("a"), {{"data", {{"i", std::to_string(i)}}}});
  Reply expired = Get(MapPath() + "?limit=1&continue=" + http::PercentEncode(token));
  EXPECT_EQ(expired.status, 410);
  EXPECT_EQ(expired.body["reason"], "Expired");
}

TEST_F(ListingTest, SelectorsChooseByLabelsAndFields) {
  Json a = Map("a");
  a["metadata"]["labels"] = {{"tier", "front"}};
  Json b = Map("b");
  b["metadata"]["labels"] = {{"tier", "back"}, {"old", ""}};
  Create(MapPath(), a);
  Create(MapPath(), b);
  auto select = [&](const std::string& selector) {
    return Names(Get(MapPath() + "?labelSelector=" + http::PercentEncode(selector)).body);
  };
  EXPECT_THAT(select("tier=front"), ElementsAre("a"));
  EXPECT_THAT(select("tier!=front"), ElementsAre("b"));
  EXPECT_THAT(select("tier in (front, back),!old"), ElementsAre("a"));
  EXPECT_THAT(select("tier notin (front)"), ElementsAre("b"));
  EXPECT_THAT(select("old"), ElementsAre("b"));
  EXPECT_THAT(Names(Get(MapPath() + "?fieldSelector=metadata.name%3Db").body), ElementsAre("b"));
  EXPECT_EQ(Get(MapPath() + "?labelSelector=a%20in%20(").status, 400);
  Reply unknown = Get(MapPath() + "?fieldSelector=data.x%3D1");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_THAT(MessageOf(unknown), HasSubstr("\"data.x\" is not a known field selector"));
}

TEST_F(ListingTest, ARevisionThatIsYetToComeIsATimeout) {
  EXPECT_EQ(Get(MapPath() + "?resourceVersion=999999").status, 504);
  EXPECT_EQ(Get(MapPath() + "?resourceVersion=abc").status, 400);
}

TEST_F(ListingTest, TablesCarryPrinterColumns) {
  Create(KettlePath(), Kettle("blue", Json::object()));
  MergePatch(
      KettlePath("blue/status"),
      Json::parse(R"({"status":{"conditions":[{"type":"Other","status":"False"},{"type":"Ready","status":"True"}]}})"));
  Answered answer;
  api_.Serve(TableRequest(KettlePath()), answer);
  EXPECT_EQ(answer.body["kind"], "Table");
  EXPECT_EQ(answer.body["columnDefinitions"][1]["name"], "Ready");
  EXPECT_EQ(answer.body["rows"][0]["cells"], (Json{"blue", "True", 2}));
  EXPECT_EQ(answer.body["rows"][0]["object"]["kind"], "PartialObjectMetadata");
}

TEST_F(ListingTest, BuiltInKindsHaveTheirOwnColumns) {
  Create(MapPath(), Map("a", {{"k", "v"}, {"l", "w"}}));
  Answered answer;
  api_.Serve(TableRequest(MapPath()), answer);
  EXPECT_EQ(answer.body["rows"][0]["cells"][0], "a");
  EXPECT_EQ(answer.body["rows"][0]["cells"][1], 2);
}

TEST(HumanDuration, ReadsLikeKubectl) {
  using std::chrono::seconds;
  EXPECT_EQ(HumanDuration(seconds(0)), "0s");
  EXPECT_EQ(HumanDuration(seconds(119)), "119s");
  EXPECT_EQ(HumanDuration(seconds(125)), "2m5s");
  EXPECT_EQ(HumanDuration(seconds(3600)), "60m");
  EXPECT_EQ(HumanDuration(seconds(4 * 3600 + 60)), "4h1m");
  EXPECT_EQ(HumanDuration(seconds(30 * 3600)), "30h");
  EXPECT_EQ(HumanDuration(seconds(3 * 86400)), "3d");
}

TEST(JsonPath, FollowsFieldsIndexesAndFilters) {
  Json object = Json::parse(R"({"a":{"b.c":[{"n":"x","v":1},{"n":"y","v":2}]}})");
  auto values = [&](const char* path) {
    Json found = Json::array();
    for (const Json* each : EvaluateJsonPath(object, path)) found.push_back(*each);
    return found;
  };
  EXPECT_EQ(values(R"(.a['b.c'][?(@.n=="y")].v)"), Json({2}));
  EXPECT_EQ(values(R"(.a.b\.c[0].n)"), Json({"x"}));
  EXPECT_EQ(values(R"({.a['b.c'][*].v})"), Json({1, 2}));
  EXPECT_EQ(values(".a.missing.b"), Json::array());
  EXPECT_EQ(values(".a['b.c'][7]"), Json::array());
  EXPECT_EQ(values(".a['b.c'"), Json::array());
}

}  // namespace
}  // namespace holdfast::local
