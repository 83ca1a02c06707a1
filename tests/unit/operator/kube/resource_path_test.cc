#include "operator/kube/resource_path.h"

namespace holdfast::kube {
namespace {

TEST(ResourcePath, CoreAndNamedGroups) {
  EXPECT_EQ(*ObjectPath(kinds::kPod, {"prod", "db-0"}), "/api/v1/namespaces/prod/pods/db-0");
  EXPECT_EQ(*ObjectPath(kinds::kStatefulSet, {"prod", "db"}), "/apis/apps/v1/namespaces/prod/statefulsets/db");
  EXPECT_EQ(*ObjectPath(kinds::kStorageCluster, {"prod", "a"}, "status"),
            "/apis/storage.holdfast.dev/v1/namespaces/prod/storageclusters/a/status");
  EXPECT_EQ(*ObjectPath(kinds::kCustomResourceDefinition, {"", "a.b.c"}),
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/a.b.c");
  EXPECT_EQ(*CollectionPath(kinds::kPod, ""), "/api/v1/pods");
  EXPECT_EQ(*CollectionPath(kinds::kLease, "kube-system"),
            "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases");
}

TEST(ResourcePath, NothingLeavesItsPlace) {
  for (const ObjectKey& key :
       {ObjectKey{"prod", ""}, ObjectKey{"", "db"}, ObjectKey{"prod", ".."}, ObjectKey{"..", "a"},
        ObjectKey{"prod", "."}, ObjectKey{"prod", "a/b"}, ObjectKey{"prod", "a%2fb"}}) {
    const auto path = ObjectPath(kinds::kPod, key);
    ASSERT_FALSE(path.ok()) << key.ToString();
    EXPECT_EQ(path.error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(CollectionPath(kinds::kCustomResourceDefinition, "prod").ok());
  EXPECT_EQ(*ObjectPath(kinds::kPod, {"prod", "a?b c"}), "/api/v1/namespaces/prod/pods/a%3Fb%20c");
}

TEST(ResourcePath, QueriesAreEncoded) {
  EXPECT_EQ(QueryString({}), "");
  EXPECT_EQ(QueryString({{"labelSelector", "a=b,c!=d"}, {"limit", "5"}}), "?labelSelector=a%3Db%2Cc%21%3Dd&limit=5");
}

TEST(ResourcePath, DescriptionsReadWell) {
  EXPECT_EQ(Describe(kinds::kPod, {"prod", "db-0"}), "pods prod/db-0");
  EXPECT_EQ(Describe(kinds::kStatefulSet, {"prod", ""}), "statefulsets.apps in namespace prod");
  EXPECT_EQ(Describe(kinds::kLease, {}), "leases.coordination.k8s.io");
}

}  // namespace
}  // namespace holdfast::kube
