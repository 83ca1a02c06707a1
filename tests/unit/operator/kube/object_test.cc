#include "operator/kube/object.h"

namespace holdfast::kube {
namespace {

const Json kObject = Json::parse(R"({
  "apiVersion": "v1", "kind": "Pod",
  "metadata": {"name": "db-0", "namespace": "prod", "uid": "u1", "resourceVersion": "42", "generation": 3,
               "labels": {"app": "db", "count": 3}, "deletionTimestamp": "2026-01-01T00:00:00Z"},
  "status": {"phase": "Running", "conditions": [{"type": "Ready"}]}})");

TEST(Object, AccessorsReadTheFields) {
  EXPECT_EQ(KeyOf(kObject), (ObjectKey{"prod", "db-0"}));
  EXPECT_EQ(KeyOf(kObject).ToString(), "prod/db-0");
  EXPECT_EQ(UidOf(kObject), "u1");
  EXPECT_EQ(ResourceVersionOf(kObject), "42");
  EXPECT_EQ(GenerationOf(kObject), 3);
  EXPECT_TRUE(IsBeingDeleted(kObject));
  EXPECT_EQ(LabelOf(kObject, "app"), "db");
  EXPECT_EQ(StringAt(kObject, "/status/phase"), "Running");
  EXPECT_EQ(StringAt(kObject, "/status/conditions/0/type"), "Ready");
}

TEST(Object, AbsentOrMistypedFieldsGiveNothing) {
  for (const Json& odd : {Json(), Json("text"), Json(7), Json::array({1, 2}), Json{{"metadata", nullptr}},
                          Json{{"metadata", {{"name", 5}, {"generation", "x"}, {"labels", "none"}}}}}) {
    EXPECT_EQ(KeyOf(odd), ObjectKey());
    EXPECT_EQ(UidOf(odd), "");
    EXPECT_EQ(GenerationOf(odd), 0);
    EXPECT_FALSE(IsBeingDeleted(odd));
    EXPECT_EQ(LabelOf(odd, "app"), "");
  }
  EXPECT_EQ(LabelOf(kObject, "count"), "");
}

TEST(Object, StringAtNeverThrows) {
  for (const char* pointer : {"", "no-slash", "/status/conditions/x/type", "/status/conditions/99/type", "/~7",
                              "/status/conditions/-", "/status/conditions/01", "/metadata/generation"}) {
    EXPECT_EQ(StringAt(kObject, pointer), "") << pointer;
  }
}

TEST(Object, KindsNameTheirApiVersion) {
  EXPECT_EQ(kinds::kPod.api_version(), "v1");
  EXPECT_EQ(kinds::kStatefulSet.api_version(), "apps/v1");
  EXPECT_EQ(kinds::kStorageCluster.api_version(), "storage.holdfast.dev/v1");
  EXPECT_FALSE(kinds::kCustomResourceDefinition.namespaced);
}

}  // namespace
}  // namespace holdfast::kube
