#include <gmock/gmock.h>

#include "tests/unit/operator/local/api_server_fixture.h"

namespace holdfast::local {
namespace {

using testing::HasSubstr;
using ObjectRequestsTest = ApiServerTest;

TEST_F(ObjectRequestsTest, CreateGivesIdentityAndDefaults) {
  Reply made = Create(KettlePath(), Kettle("blue", {{"tea", "green"}}));
  ASSERT_EQ(made.status, 201);
  EXPECT_EQ(made.body["spec"], (Json{{"tea", "green"}, {"cups", 2}}));
  EXPECT_EQ(made.body["metadata"]["namespace"], "default");
  EXPECT_EQ(Generation(made), 1);
  EXPECT_EQ(UidOf(made.body).size(), 36u);
  EXPECT_FALSE(RevisionOf(made).empty());
  EXPECT_TRUE(made.body["metadata"].contains("creationTimestamp"));
  EXPECT_EQ(Get(KettlePath("blue")).body, made.body);
}

TEST_F(ObjectRequestsTest, FailuresAreWordedLikeTheRealServers) {
  Create(MapPath(), Map("a"));
  Reply exists = Create(MapPath(), Map("a"));
  EXPECT_EQ(exists.status, 409);
  EXPECT_EQ(exists.body["reason"], "AlreadyExists");
  EXPECT_EQ(MessageOf(exists), "configmaps \"a\" already exists");

  Reply missing = Get(KettlePath("red"));
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, Json::parse(R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
    "message":"kettles.test.dev \"red\" not found","reason":"NotFound",
    "details":{"name":"red","group":"test.dev","kind":"kettles"},"code":404})"));

  Reply nowhere = Create("/api/v1/namespaces/nowhere/configmaps", Map("a"));
  EXPECT_EQ(nowhere.status, 404);
  EXPECT_EQ(MessageOf(nowhere), "namespaces \"nowhere\" not found");

  Reply mismatch = api_.Call("PUT", MapPath("a"), Map("b"));
  EXPECT_EQ(mismatch.status, 400);
  EXPECT_EQ(MessageOf(mismatch), "the name of the object (b) does not match the name on the URL (a)");

  EXPECT_EQ(Get("/api/v1/namespaces/default/teapots").body["reason"], "NotFound");
  EXPECT_EQ(Get("/apis/nowhere.dev/v1/teapots").body, "404 page not found\n");
  EXPECT_EQ(api_.Call("PATCH", MapPath(), Json::object(), "application/merge-patch+json").status, 405);
  EXPECT_EQ(api_.Call("PATCH", KettlePath("a"), Json::object(), "application/strategic-merge-patch+json").status, 415);
}

// As Patroni's client sends them.
TEST_F(ObjectRequestsTest, ABuiltInKindNeedNotSayWhatItIs) {
  Json bare = {{"metadata", {{"name", "bare"}, {"namespace", "default"}}}};
  Reply made = Create(MapPath(), bare);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.body["kind"], "ConfigMap");
  EXPECT_EQ(made.body["apiVersion"], "v1");
  bare["data"] = {{"a", "1"}};
  Reply changed = api_.Call("PUT", MapPath("bare"), bare);
  ASSERT_EQ(changed.status, 200) << changed.body;
  EXPECT_EQ(changed.body["data"]["a"], "1");

  bare["kind"] = "Secret";
  EXPECT_EQ(Create(MapPath(), bare).status, 400);
  Json kettle = {{"metadata", {{"name", "bare"}}}, {"spec", Json::object()}};
  EXPECT_EQ(MessageOf(Create(KettlePath(), kettle)), "Object 'Kind' is missing in the object provided");
}

TEST_F(ObjectRequestsTest, InvalidCustomResourcesNameEveryField) {
  Reply refused = Create(KettlePath(), Kettle("blue", {{"cups", 77}, {"tea", "mint"}, {"parts", {{{"size", 1}}}}}));
  ASSERT_EQ(refused.status, 422);
  EXPECT_THAT(MessageOf(refused), HasSubstr("Kettle.test.dev \"blue\" is invalid: ["));
  EXPECT_THAT(MessageOf(refused),
              HasSubstr("spec.cups: Invalid value: 77: spec.cups in body should be less than or equal to 9"));
  EXPECT_THAT(MessageOf(refused),
              HasSubstr("spec.tea: Unsupported value: \"mint\": supported values: \"green\", \"black\""));
  EXPECT_THAT(MessageOf(refused), HasSubstr("spec.parts[0].name: Required value"));
  EXPECT_EQ(refused.body["details"]["causes"].size(), 3u);
  EXPECT_EQ(Get(KettlePath("blue")).status, 404);
}

TEST_F(ObjectRequestsTest, UnknownFieldsArePrunedOrWhenStrictRefused) {
  Json unknown = Kettle("blue", {{"coffee", 1}});
  Reply strict = api_.Call("POST", KettlePath() + "?fieldValidation=Strict", unknown);
  EXPECT_EQ(strict.status, 400);
  EXPECT_EQ(
      MessageOf(strict),
      "Kettle in version \"v1\" cannot be handled as a Kettle: strict decoding error: unknown field \"spec.coffee\"");
  Reply made = Create(KettlePath(), unknown);
  EXPECT_EQ(made.status, 201);
  EXPECT_FALSE(made.body["spec"].contains("coffee"));
}

TEST_F(ObjectRequestsTest, AnOldResourceVersionIsAConflict) {
  Reply made = Create(MapPath(), Map("a"));
  Json old = made.body;
  MergePatch(MapPath("a"), {{"data", {{"k", "1"}}}});
  old["data"]["k"] = "2";
  Reply refused = api_.Call("PUT", MapPath("a"), old);
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(
      MessageOf(refused),
      "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes "
      "to the latest version and try again");
  EXPECT_EQ(MergePatch(MapPath("a"), {{"metadata", {{"resourceVersion", RevisionOf(made)}}}}).status, 409);
  EXPECT_EQ(Get(MapPath("a")).body["data"]["k"], "1");
}

TEST_F(ObjectRequestsTest, AHugeTextWithAPatternIsRefusedAndDoesNotEndTheServer) {
  Reply refused = Create(KettlePath(), Kettle("blue", {{"label", std::string(200'000, 'a')}}));
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(MessageOf(refused), HasSubstr("spec.label"));
  EXPECT_EQ(Create(KettlePath(), Kettle("red", {{"label", "kitchen"}})).status, 201);
}

TEST_F(ObjectRequestsTest, CustomResourcesAreNotOverwrittenBlindly) {
  Create(KettlePath(), Kettle("blue", {{"cups", 1}}));
  Reply refused = api_.Call("PUT", KettlePath("blue"), Kettle("blue", {{"cups", 3}}));
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(MessageOf(refused),
              HasSubstr("metadata.resourceVersion: Invalid value: 0: must be specified for an update"));
}

TEST_F(ObjectRequestsTest, WritesThatChangeNothingKeepTheRevision) {
  Reply made = Create(KettlePath(), Kettle("blue", {{"tea", "green"}}));
  EXPECT_EQ(RevisionOf(MergePatch(KettlePath("blue"), {{"spec", {{"cups", 2}}}})), RevisionOf(made));
  EXPECT_EQ(RevisionOf(api_.Call("PUT", KettlePath("blue"), made.body)), RevisionOf(made));
  std::uint64_t revision = api_.revision();
  EXPECT_EQ(api_.Call("PUT", KettlePath("blue/status"), made.body).status, 200);
  EXPECT_EQ(api_.revision(), revision);
}

TEST_F(ObjectRequestsTest, GenerationCountsTheSpecOnly) {
  Create(KettlePath(), Kettle("blue", {{"cups", 1}}));
  EXPECT_EQ(Generation(MergePatch(KettlePath("blue"), {{"metadata", {{"labels", {{"a", "b"}}}}}})), 1);
  EXPECT_EQ(Generation(MergePatch(KettlePath("blue/status"), {{"status", {{"cups", 1}}}})), 1);
  EXPECT_EQ(Generation(MergePatch(KettlePath("blue"), {{"spec", {{"cups", 3}}}})), 2);
}

TEST_F(ObjectRequestsTest, StatusAndSpecAreWrittenApart) {
  Create(KettlePath(), Kettle("blue", {{"cups", 1}}));
  Json both = {{"spec", {{"cups", 5}}}, {"status", {{"cups", 4}}}};
  EXPECT_EQ(MergePatch(KettlePath("blue/status"), both).body["spec"]["cups"], 1);
  EXPECT_EQ(MergePatch(KettlePath("blue"), {{"spec", {{"cups", 6}}}, {"status", {{"cups", 9}}}}).body["status"]["cups"],
            4);
}

TEST_F(ObjectRequestsTest, ScaleIsAViewOnTheReplicas) {
  Create(KettlePath(), Kettle("blue", {{"cups", 1}}));
  Reply scale = Get(KettlePath("blue/scale"));
  EXPECT_EQ(scale.body["kind"], "Scale");
  EXPECT_EQ(scale.body["spec"]["replicas"], 1);
  scale.body["spec"]["replicas"] = 7;
  EXPECT_EQ(api_.Call("PUT", KettlePath("blue/scale"), scale.body).status, 200);
  EXPECT_EQ(Get(KettlePath("blue")).body["spec"]["cups"], 7);
  EXPECT_EQ(api_.Call("PUT", KettlePath("blue/scale"), scale.body).status, 409);
  EXPECT_EQ(MergePatch(KettlePath("blue/scale"), {{"spec", {{"replicas", 11}}}}).status, 422);
}

TEST_F(ObjectRequestsTest, DryRunsChangeNothing) {
  Reply dry = api_.Call("POST", MapPath() + "?dryRun=All", Map("a"));
  EXPECT_EQ(dry.status, 201);
  EXPECT_EQ(Get(MapPath("a")).status, 404);
  Create(MapPath(), Map("a"));
  std::uint64_t revision = api_.revision();
  EXPECT_EQ(api_.Call("PATCH", MapPath("a") + "?dryRun=All", {{"data", {{"k", "v"}}}}, "application/merge-patch+json")
                .body["data"]["k"],
            "v");
  EXPECT_EQ(Delete(MapPath("a"), {{"dryRun", {"All"}}}).status, 200);
  EXPECT_EQ(api_.revision(), revision);
}

TEST_F(ObjectRequestsTest, JsonPatchesApplyWholeOrNotAtAll) {
  Create(MapPath(), Map("a", {{"k", "v"}}));
  Json good =
      Json::parse(R"([{"op":"test","path":"/data/k","value":"v"},{"op":"replace","path":"/data/k","value":"w"}])");
  EXPECT_EQ(api_.Call("PATCH", MapPath("a"), good, "application/json-patch+json").body["data"]["k"], "w");
  EXPECT_EQ(api_.Call("PATCH", MapPath("a"), good, "application/json-patch+json").status, 422);
  EXPECT_EQ(Get(MapPath("a")).body["data"]["k"], "w");
}

TEST_F(ObjectRequestsTest, DeletePreconditionsProtectWhatCameSince) {
  Reply made = Create(MapPath(), Map("a"));
  Reply wrong_uid = Delete(MapPath("a"), {{"preconditions", {{"uid", "another"}}}});
  EXPECT_EQ(wrong_uid.status, 409);
  EXPECT_THAT(MessageOf(wrong_uid),
              HasSubstr("the UID in the precondition (another) does not match the UID in record"));
  EXPECT_EQ(Delete(MapPath("a"), {{"preconditions", {{"resourceVersion", "1"}}}}).status, 409);
  Json exact = {{"preconditions", {{"uid", UidOf(made.body)}, {"resourceVersion", RevisionOf(made)}}}};
  Reply gone = Delete(MapPath("a"), exact);
  EXPECT_EQ(gone.status, 200);
  EXPECT_EQ(gone.body["status"], "Success");
  EXPECT_EQ(Delete(MapPath("a"), exact).status, 404);
}

TEST_F(ObjectRequestsTest, FinalizersHoldAnObjectUntilTheLastHasGone) {
  Json object = Map("a");
  object["metadata"]["finalizers"] = {"test.dev/one"};
  Create(MapPath(), object);
  Reply marked = Delete(MapPath("a"));
  EXPECT_TRUE(marked.body["metadata"].contains("deletionTimestamp"));
  EXPECT_EQ(RevisionOf(Delete(MapPath("a"))), RevisionOf(marked));
  Reply added = MergePatch(MapPath("a"), {{"metadata", {{"finalizers", {"test.dev/one", "test.dev/two"}}}}});
  EXPECT_EQ(added.status, 422);
  EXPECT_THAT(MessageOf(added), HasSubstr("no new finalizers can be added if the object is being deleted"));
  EXPECT_EQ(Get(MapPath("a")).status, 200);
  EXPECT_EQ(MergePatch(MapPath("a"), {{"metadata", {{"finalizers", nullptr}}}}).status, 200);
  EXPECT_EQ(Get(MapPath("a")).status, 404);
}

TEST_F(ObjectRequestsTest, StatefulSetsRefuseChangesKubernetesRefuses) {
  Json set =
      Json::parse(R"({"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"s"},"spec":{"serviceName":"s",
    "selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},
    "spec":{"containers":[{"name":"c","image":"i:1"}]}}}})");
  std::string path = "/apis/apps/v1/namespaces/default/statefulsets";
  ASSERT_EQ(Create(path, set).status, 201);
  EXPECT_EQ(MergePatch(path + "/s", {{"spec", {{"replicas", 3}}}}).status, 200);
  Reply refused = MergePatch(path + "/s", {{"spec", {{"serviceName", "other"}}}});
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(MessageOf(refused), HasSubstr("updates to statefulset spec for fields other than 'replicas'"));
  set["metadata"]["name"] = "t";
  set["spec"]["template"]["metadata"]["labels"]["a"] = "c";
  EXPECT_THAT(MessageOf(Create(path, set)), HasSubstr("`selector` does not match template `labels`"));
}

TEST_F(ObjectRequestsTest, WritesAreCountedByClientAndVerb) {
  api_.Call("POST", MapPath(), Map("a"), "", "tester");
  api_.Call("PATCH", MapPath("a"), {{"data", Json::object()}}, "application/merge-patch+json", "tester");
  api_.Call("DELETE", MapPath("missing"), nullptr, "", "tester");
  auto writes = api_.Writes("tester");
  EXPECT_EQ(writes["create"].changes, 1u);
  EXPECT_EQ(writes["patch"].requests, 1u);
  EXPECT_EQ(writes["patch"].changes, 0u);
  EXPECT_EQ(writes["delete"].requests, 1u);
  EXPECT_EQ(writes["delete"].changes, 0u);
  EXPECT_EQ(api_.Writes("someone else").size(), 0u);
}

TEST_F(ObjectRequestsTest, DefinitionsAreServedAtOnceAndGoWithTheirObjects) {
  Reply definition = Get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/kettles.test.dev");
  std::map<std::string, std::string> conditions;
  for (const Json& each : ArrayAt(definition.body, {"status", "conditions"})) {
    conditions[TextAt(each, {"type"})] = TextAt(each, {"status"});
  }
  EXPECT_EQ(conditions, (std::map<std::string, std::string>{{"Established", "True"}, {"NamesAccepted", "True"}}));
  Create(KettlePath(), Kettle("blue", Json::object()));
  Delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/kettles.test.dev");
  EXPECT_TRUE(Vanishes("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/kettles.test.dev"));
  EXPECT_EQ(Get(KettlePath()).status, 404);
}

TEST_F(ObjectRequestsTest, BodiesOfAnyShapeAreAnsweredNotFeared) {
  for (const char* text : {"[]", "1", "null", "\"x\"", R"({"metadata":[]})", R"({"apiVersion":1,"kind":[]})",
                           R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":7}})",
                           R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","labels":[1]}})",
                           R"({"apiVersion":"v1","kind":"ConfigMap","metadata":"x"})"}) {
    Json body = Json::parse(text);
    EXPECT_GE(api_.Call("POST", MapPath(), body.is_null() ? Json("null") : body).status, 200) << text;
    EXPECT_GE(MergePatch(MapPath("x"), body).status, 200) << text;
    EXPECT_GE(Apply(MapPath("y"), body, "m").status, 200) << text;
  }
  EXPECT_EQ(Get("/version").status, 200);
}

}  // namespace
}  // namespace holdfast::local
