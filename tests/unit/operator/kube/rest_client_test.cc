#include "operator/kube/rest_client.h"

#include "tests/unit/operator/kube/scripted_server.h"

namespace holdfast::kube {
namespace {

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{30});
}

Json Pod(const std::string& name, const std::string& version = "1") {
  return {{"metadata", {{"name", name}, {"namespace", "prod"}, {"uid", "u-" + name}, {"resourceVersion", version}}}};
}

Json PodList(const std::vector<std::string>& names, const std::string& version, const std::string& next = "") {
  Json items = Json::array();
  for (const std::string& name : names) items.push_back(Pod(name));
  return {{"kind", "PodList"}, {"metadata", {{"resourceVersion", version}, {"continue", next}}}, {"items", items}};
}

class RestClientTest : public testing::Test {
 protected:
  ScriptedServer server_;
  std::shared_ptr<Client> client_ = server_.MakeClient();
};

TEST_F(RestClientTest, GetReadsOneObject) {
  server_.Then(Reply(200, Pod("db-0")));
  const auto pod = client_->Get(kinds::kPod, {"prod", "db-0"}, Soon());
  ASSERT_TRUE(pod.ok()) << pod.error().ToString();
  EXPECT_EQ(KeyOf(*pod), (ObjectKey{"prod", "db-0"}));
  const auto request = server_.Last();
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, "/api/v1/namespaces/prod/pods/db-0");
  EXPECT_EQ(request.headers.at("Accept"), "application/json");
  EXPECT_EQ(request.headers.at("User-Agent"), "holdfast-operator");
  EXPECT_FALSE(request.headers.contains("Authorization"));
}

TEST_F(RestClientTest, ListFollowsThePages) {
  server_.Then(Reply(200, PodList({"a", "b"}, "77", "more/1+=")));
  server_.Then(Reply(200, PodList({"c"}, "77")));
  ListOptions options;
  options.limit = 2;
  options.label_selector = "app=db";
  options.resource_version = "0";
  const auto list = client_->List(kinds::kPod, "prod", options, Soon());
  ASSERT_TRUE(list.ok()) << list.error().ToString();
  EXPECT_EQ(list->resource_version, "77");
  ASSERT_EQ(list->items.size(), 3u);
  EXPECT_EQ(list->items[2]["kind"], "Pod");
  EXPECT_EQ(list->items[2]["apiVersion"], "v1");
  const auto requests = server_.Requests();
  EXPECT_EQ(requests[0].target, "/api/v1/namespaces/prod/pods?labelSelector=app%3Ddb&limit=2&resourceVersion=0");
  EXPECT_EQ(requests[1].target, "/api/v1/namespaces/prod/pods?labelSelector=app%3Ddb&limit=2&continue=more%2F1%2B%3D");
}

TEST_F(RestClientTest, ListNotOlderThanAVersion) {
  server_.Then(Reply(200, PodList({}, "90")));
  ListOptions options;
  options.resource_version = "80";
  ASSERT_TRUE(client_->List(kinds::kPod, "", options, Soon()).ok());
  EXPECT_EQ(server_.Last().target, "/api/v1/pods?limit=500&resourceVersion=80&resourceVersionMatch=NotOlderThan");
}

TEST_F(RestClientTest, AListThatExpiresBetweenPagesIsFetchedWhole) {
  server_.Then(Reply(200, PodList({"a"}, "77", "next")));
  server_.Then(Refuse(410, "Expired", "The provided continue parameter is too old"));
  server_.Then(Reply(200, PodList({"a", "b", "c"}, "99")));
  ListOptions options;
  options.limit = 1;
  const auto list = client_->List(kinds::kPod, "", options, Soon());
  ASSERT_TRUE(list.ok()) << list.error().ToString();
  EXPECT_EQ(list->items.size(), 3u);
  EXPECT_EQ(list->resource_version, "99");
  EXPECT_EQ(server_.Last().target, "/api/v1/pods");
}

TEST_F(RestClientTest, AnExpiredVersionOfTheFirstPageIsTheCallersBusiness) {
  server_.Then(Refuse(410, "Expired", "too old"));
  const auto list = client_->List(kinds::kPod, "", {}, Soon());
  ASSERT_FALSE(list.ok());
  EXPECT_EQ(list.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(server_.Count(), 1u);
}

TEST_F(RestClientTest, CreateUpdateStatusAndPatchSayWhatTheyAre) {
  server_.Otherwise(Reply(200, Pod("a")));
  Json object = Pod("a");
  object["metadata"].erase("resourceVersion");
  ASSERT_TRUE(client_->Create(kinds::kPod, object, Soon()).ok());
  auto request = server_.Last();
  EXPECT_EQ(request.method + " " + request.target, "POST /api/v1/namespaces/prod/pods");
  EXPECT_EQ(request.headers.at("Content-Type"), "application/json");
  EXPECT_EQ(Json::parse(request.body)["kind"], "Pod");
  EXPECT_EQ(Json::parse(request.body)["apiVersion"], "v1");

  ASSERT_TRUE(client_->Update(kinds::kPod, Pod("a", "5"), Soon()).ok());
  request = server_.Last();
  EXPECT_EQ(request.method + " " + request.target, "PUT /api/v1/namespaces/prod/pods/a");
  EXPECT_EQ(ResourceVersionOf(Json::parse(request.body)), "5");

  ASSERT_TRUE(client_->UpdateStatus(kinds::kPod, Pod("a", "5"), Soon()).ok());
  EXPECT_EQ(server_.Last().method + " " + server_.Last().target, "PUT /api/v1/namespaces/prod/pods/a/status");

  ASSERT_TRUE(client_->MergePatch(kinds::kPod, {"prod", "a"}, {{"metadata", {{"labels", nullptr}}}}, Soon()).ok());
  request = server_.Last();
  EXPECT_EQ(request.method + " " + request.target, "PATCH /api/v1/namespaces/prod/pods/a");
  EXPECT_EQ(request.headers.at("Content-Type"), "application/merge-patch+json");
  EXPECT_EQ(request.body, R"({"metadata":{"labels":null}})");
}

TEST_F(RestClientTest, ApplyIsServerSide) {
  server_.Otherwise(Reply(201, Pod("a")));
  ApplyOptions options;
  options.dry_run = true;
  ASSERT_TRUE(client_->Apply(kinds::kStatefulSet, Pod("a"), options, Soon()).ok());
  auto request = server_.Last();
  EXPECT_EQ(request.method, "PATCH");
  EXPECT_EQ(request.target,
            "/apis/apps/v1/namespaces/prod/statefulsets/a?fieldManager=holdfast-operator&force=true&dryRun=All");
  EXPECT_EQ(request.headers.at("Content-Type"), "application/apply-patch+yaml");
  EXPECT_EQ(Json::parse(request.body)["apiVersion"], "apps/v1");
  options.dry_run = false;
  options.force = false;
  ASSERT_TRUE(client_->Apply(kinds::kStatefulSet, Pod("a"), options, Soon()).ok());
  EXPECT_EQ(server_.Last().target,
            "/apis/apps/v1/namespaces/prod/statefulsets/a?fieldManager=holdfast-operator&force=false");
}

TEST_F(RestClientTest, DeleteNamesWhatItMeans) {
  server_.Then(Reply(200, Json{{"kind", "Status"}, {"status", "Success"}}));
  ASSERT_TRUE(client_->Delete(kinds::kPod, {"prod", "a"}, {"uid-1", "42"}, Soon()).ok());
  const auto request = server_.Last();
  EXPECT_EQ(request.method + " " + request.target, "DELETE /api/v1/namespaces/prod/pods/a");
  EXPECT_EQ(Json::parse(request.body), Json::parse(R"({"apiVersion": "v1", "kind": "DeleteOptions",
      "propagationPolicy": "Background", "preconditions": {"uid": "uid-1", "resourceVersion": "42"}})"));
}

TEST_F(RestClientTest, ADeleteThatNamesTooLittleIsNotSent) {
  for (const DeletePreconditions& preconditions :
       {DeletePreconditions{}, DeletePreconditions{"uid", ""}, DeletePreconditions{"", "42"}}) {
    const Status status = client_->Delete(kinds::kPod, {"prod", "a"}, preconditions, Soon());
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(client_->Delete(kinds::kPod, {"prod", ""}, {"u", "1"}, Soon()).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(client_->Delete(kinds::kPod, {"", "a"}, {"u", "1"}, Soon()).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(server_.Count(), 0u);
}

TEST_F(RestClientTest, RefusalsKeepTheServersWordsAndNameWhatWasTried) {
  server_.Then(Refuse(409, "Conflict", "the UID in the precondition does not match"));
  const Status conflict = client_->Delete(kinds::kPod, {"prod", "a"}, {"u", "1"}, Soon());
  ASSERT_FALSE(conflict.ok());
  EXPECT_EQ(conflict.error().code(), ErrorCode::kVersionConflict);
  EXPECT_EQ(conflict.error().message(),
            "cannot delete pods prod/a: the UID in the precondition does not match (HTTP 409 Conflict)");

  server_.Then(Refuse(409, "AlreadyExists", "it exists"));
  EXPECT_EQ(client_->Create(kinds::kPod, Pod("a"), Soon()).error().code(), ErrorCode::kAlreadyExists);

  server_.Then(Refuse(403, "Forbidden", "User \"x\" cannot patch resource \"statefulsets\""));
  const auto forbidden = client_->Apply(kinds::kStatefulSet, Pod("a"), {}, Soon());
  EXPECT_EQ(forbidden.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_NE(forbidden.error().message().find("cannot apply statefulsets.apps prod/a: User \"x\" cannot patch"),
            std::string::npos);

  server_.Then(Refuse(422, "Invalid", "spec.replicas: Invalid value: -1"));
  EXPECT_EQ(client_->Update(kinds::kPod, Pod("a"), Soon()).error().code(), ErrorCode::kInvalidArgument);

  server_.Then(Refuse(404, "NotFound", "pods \"a\" not found"));
  EXPECT_EQ(client_->Delete(kinds::kPod, {"prod", "a"}, {"u", "1"}, Soon()).error().code(), ErrorCode::kNotFound);
}

TEST_F(RestClientTest, ObjectsThatAreNoDocumentsAreNotSent) {
  Json invalid = Pod("a");
  invalid["metadata"]["labels"]["x"] = "\xff";
  EXPECT_EQ(client_->Update(kinds::kPod, invalid, Soon()).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(client_->MergePatch(kinds::kPod, {"prod", "a"}, invalid, Soon()).error().code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(client_->Create(kinds::kPod, Json("text"), Soon()).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(server_.Count(), 0u);
}

TEST_F(RestClientTest, APathPrefixStandsBeforeEveryPath) {
  RestClientOptions options;
  options.credentials.path_prefix = "/k8s/clusters/c-1";
  const auto client = server_.MakeClient(options);
  server_.Then(Reply(200, Pod("a")));
  ASSERT_TRUE(client->Get(kinds::kPod, {"prod", "a"}, Soon()).ok());
  EXPECT_EQ(server_.Last().target, "/k8s/clusters/c-1/api/v1/namespaces/prod/pods/a");
}

TEST_F(RestClientTest, RequestsAreCounted) {
  metrics::Registry registry;
  const auto client = server_.MakeClient({}, &registry);
  server_.Then(Reply(200, Pod("a")));
  server_.Then(Refuse(404, "NotFound", "x"));
  (void)client->Get(kinds::kPod, {"prod", "a"}, Soon());
  (void)client->Get(kinds::kPod, {"prod", "a"}, Soon());
  server_.GoAway();
  (void)client->Get(kinds::kPod, {"prod", "a"}, Soon());
  const std::string text = registry.Serialize();
  for (const char* code : {"200", "404", "<error>"}) {
    const std::string line = "rest_client_requests_total{code=\"" + std::string(code) + "\",host=\"" + server_.host() +
                             "\",method=\"GET\"} 1";
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
}

}  // namespace
}  // namespace holdfast::kube
