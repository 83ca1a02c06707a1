#include "operator/controllers/storagecluster/carries.h"

#include "gtest/gtest.h"

namespace holdfast::storagecluster {
namespace {

using kube::Json;

std::optional<std::string> Difference(const char* desired, const char* live) {
  return FirstDifference(Json::parse(desired), Json::parse(live));
}

TEST(FirstDifference, WhatOthersAddDoesNotCount) {
  EXPECT_EQ(Difference(R"({"a": {"b": 1}})", R"({"a": {"b": 1, "c": 2}, "d": 3})"), std::nullopt);
  EXPECT_EQ(Difference(R"({"containers": [{"name": "x", "image": "i"}]})",
                       R"({"containers": [{"name": "sidecar"}, {"name": "x", "image": "i", "tty": false}]})"),
            std::nullopt);
}

TEST(FirstDifference, WhatIsMissingOrOtherwiseDoes) {
  EXPECT_EQ(Difference(R"({"a": {"b": 1}})", R"({"a": {}})"), "/a/b");
  EXPECT_EQ(Difference(R"({"a": {"b": 1}})", R"({"a": {"b": 2}})"), "/a/b");
  EXPECT_EQ(Difference(R"({"a": "1"})", R"({"a": 1})"), "/a");
  EXPECT_EQ(Difference(R"({"a": [{"name": "x"}]})", R"({"a": [{"name": "y"}]})"), "/a/x");
  EXPECT_EQ(Difference(R"({"command": ["a", "b"]})", R"({"command": ["b", "a"]})"), "/command/0");
  EXPECT_EQ(Difference(R"({"command": ["a"]})", R"({"command": ["a", "b"]})"), "/command");
}

TEST(FirstDifference, OwnersAreToldByUid) {
  EXPECT_EQ(Difference(R"({"o": [{"name": "demo", "uid": "2"}]})",
                       R"({"o": [{"name": "demo", "uid": "1"}, {"name": "demo", "uid": "2"}]})"),
            std::nullopt);
  EXPECT_EQ(Difference(R"({"o": [{"name": "demo", "uid": "2"}]})", R"({"o": [{"name": "demo", "uid": "1"}]})"), "/o/2");
}

TEST(FirstDifference, QuantitiesAreComparedByValueWhereTheyAreQuantities) {
  EXPECT_EQ(Difference(R"({"requests": {"cpu": "1000m", "memory": "1024Mi"}})",
                       R"({"requests": {"cpu": "1", "memory": "1Gi"}})"),
            std::nullopt);
  EXPECT_EQ(Difference(R"({"limits": {"cpu": 2}})", R"({"limits": {"cpu": "2"}})"), std::nullopt);
  EXPECT_EQ(Difference(R"({"limits": {"cpu": "0.1"}})", R"({"limits": {"cpu": "100m"}})"), std::nullopt);
  EXPECT_EQ(Difference(R"({"limits": {"cpu": "2"}})", R"({"limits": {"cpu": "3"}})"), "/limits/cpu");
  EXPECT_EQ(Difference(R"({"data": {"size": "1024Mi"}})", R"({"data": {"size": "1Gi"}})"), "/data/size");
}

TEST(FirstDifference, EmptyObjectsTheServerDropsAreNoDifferenceButAnEmptyDirIs) {
  EXPECT_EQ(Difference(R"({"resources": {}})", "{}"), std::nullopt);
  EXPECT_EQ(Difference(R"({"emptyDir": {}})", "{}"), "/emptyDir");
}

}  // namespace
}  // namespace holdfast::storagecluster
