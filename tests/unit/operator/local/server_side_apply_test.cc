#include <gmock/gmock.h>

#include "tests/unit/operator/local/api_server_fixture.h"

namespace holdfast::local {
namespace {

using testing::HasSubstr;
using ServerSideApplyTest = ApiServerTest;

Json Parts(std::initializer_list<const char*> names) {
  Json parts = Json::array();
  for (const char* name : names) parts.push_back({{"name", name}, {"size", 1}});
  return parts;
}

TEST_F(ServerSideApplyTest, CreatesAndOwnsWhatItStates) {
  Reply made = Apply(KettlePath("blue"), Kettle("blue", {{"tea", "green"}, {"parts", Parts({"lid"})}}), "one");
  EXPECT_EQ(made.status, 201);
  const Json& entry = made.body["metadata"]["managedFields"][0];
  EXPECT_EQ(entry["manager"], "one");
  EXPECT_EQ(entry["operation"], "Apply");
  EXPECT_EQ(entry["fieldsV1"], Json::parse(R"({"f:spec":{"f:tea":{},
    "f:parts":{"k:{\"name\":\"lid\"}":{".":{},"f:name":{},"f:size":{}}}}})"));
}

TEST_F(ServerSideApplyTest, ARepeatedApplyWritesNothing) {
  Json object = Kettle("blue", {{"tea", "green"}, {"parts", Parts({"lid", "spout"})}});
  Reply first = Apply(KettlePath("blue"), object, "one");
  std::uint64_t revision = api_.revision();
  Reply second = Apply(KettlePath("blue"), object, "one");
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(api_.revision(), revision);
}

TEST_F(ServerSideApplyTest, DroppedFieldsGoAndDefaultsComeBack) {
  Json object =
      Kettle("blue", {{"cups", 5}, {"tea", "green"}, {"colours", {{"a", "1"}}}, {"parts", Parts({"lid", "spout"})}});
  object["metadata"]["labels"] = {{"l", "1"}};
  Apply(KettlePath("blue"), object, "one");
  Reply applied = Apply(KettlePath("blue"), Kettle("blue", {{"parts", Parts({"spout"})}}), "one");
  EXPECT_EQ(applied.body["spec"], (Json{{"cups", 2}, {"parts", Parts({"spout"})}}));
  EXPECT_FALSE(applied.body["metadata"].contains("labels"));
  EXPECT_EQ(applied.body["metadata"]["name"], "blue");
}

TEST_F(ServerSideApplyTest, FieldsOfOthersStayWhenOneDropsThem) {
  Json object = Kettle("blue", {{"tea", "green"}, {"parts", Parts({"lid"})}});
  Apply(KettlePath("blue"), object, "one");
  Apply(KettlePath("blue"), object, "two");
  Reply applied = Apply(KettlePath("blue"), Kettle("blue", {{"parts", Parts({})}}), "one");
  EXPECT_EQ(applied.body["spec"]["tea"], "green");
  EXPECT_EQ(applied.body["spec"]["parts"], Parts({"lid"}));
}

TEST_F(ServerSideApplyTest, ListItemsMergeByTheirKeys) {
  Apply(KettlePath("blue"), Kettle("blue", {{"parts", Parts({"lid", "spout"})}}), "one");
  Json note = Json::array({{{"name", "spout"}, {"note", "dented"}}, {{"name", "handle"}}});
  Reply applied = Apply(KettlePath("blue"), Kettle("blue", {{"parts", note}}), "two");
  EXPECT_EQ(applied.body["spec"]["parts"], Json::parse(R"([{"name":"lid","size":1},
    {"name":"spout","size":1,"note":"dented"},{"name":"handle"}])"));
  applied = Apply(KettlePath("blue"), Kettle("blue", Json::object()), "two");
  EXPECT_EQ(applied.body["spec"]["parts"], Parts({"lid", "spout"}));
}

TEST_F(ServerSideApplyTest, ConflictsNameOwnersAndFields) {
  Apply(KettlePath("blue"), Kettle("blue", {{"tea", "green"}, {"parts", Parts({"lid"})}}), "one");
  Json other = Kettle("blue", {{"tea", "black"}, {"parts", {{{"name", "lid"}, {"size", 2}}}}});
  std::uint64_t revision = api_.revision();
  Reply refused = Apply(KettlePath("blue"), other, "two");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.body["reason"], "Conflict");
  EXPECT_THAT(MessageOf(refused), HasSubstr("Apply failed with 2 conflicts: conflicts with \"one\":"));
  EXPECT_THAT(MessageOf(refused), HasSubstr("- .spec.parts[name=\"lid\"].size"));
  EXPECT_EQ(refused.body["details"]["causes"].size(), 2u);
  EXPECT_EQ(api_.revision(), revision);
}

TEST_F(ServerSideApplyTest, ForceTakesTheFieldsOver) {
  Apply(KettlePath("blue"), Kettle("blue", {{"tea", "green"}, {"cups", 1}}), "one");
  Reply taken = Apply(KettlePath("blue"), Kettle("blue", {{"tea", "black"}}), "two", true);
  EXPECT_EQ(taken.body["spec"]["tea"], "black");
  // What was taken is no more the first one's to drop.
  EXPECT_EQ(Apply(KettlePath("blue"), Kettle("blue", {{"cups", 1}}), "one").body["spec"]["tea"], "black");
}

TEST_F(ServerSideApplyTest, TheSameValueIsSharedWithoutConflict) {
  Apply(KettlePath("blue"), Kettle("blue", {{"tea", "green"}}), "one");
  EXPECT_EQ(Apply(KettlePath("blue"), Kettle("blue", {{"tea", "green"}}), "two").status, 200);
}

TEST_F(ServerSideApplyTest, WhatAnUpdateChangedBelongsToItsManager) {
  Apply(KettlePath("blue"), Kettle("blue", {{"cups", 1}}), "one");
  MergePatch(KettlePath("blue"), {{"spec", {{"cups", 4}}}});
  Reply refused = Apply(KettlePath("blue"), Kettle("blue", {{"cups", 1}}), "one");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(MessageOf(refused), "Apply failed with 1 conflict: conflict with \"local\" using test.dev/v1: .spec.cups");
  EXPECT_EQ(Apply(KettlePath("blue"), Kettle("blue", {{"cups", 1}}), "one", true).body["spec"]["cups"], 1);
}

TEST_F(ServerSideApplyTest, AtomicListsAndSelectorsAreReplacedWhole) {
  std::string path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/b";
  Json budget = {{"apiVersion", "policy/v1"},
                 {"kind", "PodDisruptionBudget"},
                 {"metadata", {{"name", "b"}}},
                 {"spec", {{"maxUnavailable", 1}, {"selector", {{"matchLabels", {{"a", "1"}, {"b", "2"}}}}}}}};
  Apply(path, budget, "one");
  budget["spec"]["selector"]["matchLabels"].erase("b");
  EXPECT_EQ(Apply(path, budget, "one").body["spec"]["selector"], (Json{{"matchLabels", {{"a", "1"}}}}));
}

TEST_F(ServerSideApplyTest, ContainersOfAStatefulSetMergeByNameBesideTheirDefaults) {
  Json set =
      Json::parse(R"({"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"s"},"spec":{"serviceName":"s",
    "selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},
    "spec":{"containers":[{"name":"c","image":"i:1","ports":[{"containerPort":80}],"env":[{"name":"A","value":"1"}]}]}}}})");
  std::string path = "/apis/apps/v1/namespaces/default/statefulsets/s";
  Reply made = Apply(path, set, "one");
  ASSERT_EQ(made.status, 201) << made.body;
  Reply again = Apply(path, set, "one");
  EXPECT_EQ(RevisionOf(again), RevisionOf(made));
  set["spec"]["template"]["spec"]["containers"][0].erase("env");
  set["spec"]["template"]["spec"]["containers"][0]["image"] = "i:2";
  Reply changed = Apply(path, set, "one");
  const Json& container = changed.body["spec"]["template"]["spec"]["containers"][0];
  EXPECT_EQ(container["image"], "i:2");
  EXPECT_FALSE(container.contains("env"));
  EXPECT_EQ(container["ports"], Json::parse(R"([{"containerPort":80,"protocol":"TCP"}])"));
  EXPECT_EQ(container["terminationMessagePolicy"], "File");
  EXPECT_EQ(Generation(changed), 2);
}

TEST_F(ServerSideApplyTest, StatusIsAppliedThroughItsSubresourceOnly) {
  Apply(KettlePath("blue"), Kettle("blue", {{"cups", 1}}), "one");
  Json status = {{"apiVersion", "test.dev/v1"},
                 {"kind", "Kettle"},
                 {"metadata", {{"name", "blue"}}},
                 {"spec", {{"cups", 9}}},
                 {"status", {{"cups", 1}}}};
  Reply applied = Apply(KettlePath("blue/status"), status, "one");
  EXPECT_EQ(applied.body["spec"]["cups"], 1);
  EXPECT_EQ(applied.body["status"]["cups"], 1);
  EXPECT_EQ(applied.body["metadata"]["managedFields"].size(), 2u);
  EXPECT_EQ(RevisionOf(Apply(KettlePath("blue/status"), status, "one")), RevisionOf(applied));
  status["metadata"]["name"] = "red";
  EXPECT_EQ(Apply(KettlePath("red/status"), status, "one").status, 404);
}

TEST_F(ServerSideApplyTest, RequestsWithoutManagerOrWithManagedFieldsAreRefused) {
  Reply refused =
      api_.Call("PATCH", KettlePath("blue"), Kettle("blue", Json::object()), "application/apply-patch+yaml");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(MessageOf(refused),
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
  Json object = Kettle("blue", Json::object());
  object["metadata"]["managedFields"] = Json::array();
  EXPECT_EQ(Apply(KettlePath("blue"), object, "one").status, 400);
}

TEST_F(ServerSideApplyTest, FieldsThatDoNotExistAreRefusedNotPruned) {
  Reply refused = Apply(KettlePath("blue"), Kettle("blue", {{"coffee", 1}}), "one");
  EXPECT_EQ(refused.status, 500);
  EXPECT_EQ(
      MessageOf(refused),
      "failed to create typed patch object (/blue; test.dev/v1, Kind=Kettle): .spec.coffee: field not declared in "
      "schema");
  EXPECT_EQ(Get(KettlePath("blue")).status, 404);
}

}  // namespace
}  // namespace holdfast::local
