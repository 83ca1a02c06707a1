// Change logs of stores, in the service's settings and in what its pods ask for.
#include "gtest/gtest.h"
#include "tests/unit/operator/resources/demo_cluster.h"

namespace holdfast::resources {
namespace {

using kube::Json;

std::string Memory(const api::StorageCluster& cluster) {
  const Json set = Find(cluster, "StatefulSet", "demo");
  return set.at("/spec/template/spec/containers/0/resources/requests/memory"_json_pointer).get<std::string>();
}

constexpr char kEmbedded[] = "backends: [{name: local, embedded: {storage: {size: 1Gi}}}]\n";
constexpr char kInMemory[] = "backends: [{name: local, memory: {maxBytes: 64Mi}}]\n";
constexpr char kStores[] =
    "stores: [{name: main, backend: local, changeArchive: true}, {name: other, backend: local}]\n";

TEST(ChangeArchive, IsOneOfTheStoresSettings) {
  const Json settings = SettingsOfDemo(DemoCluster(std::string(kEmbedded) + kStores + "backups: {claimName: backups}"));
  EXPECT_EQ(settings.at("stores").at("main").at("change_archive"), true);
  EXPECT_FALSE(settings.at("stores").at("other").contains("change_archive"));
  EXPECT_EQ(settings.at("backups"), Json({{"directory", "/var/lib/holdfast-backups"}}));
  EXPECT_FALSE(settings.at("backends").at("local").contains("archived_log_size"));
}

TEST(ChangeArchive, WhatIsGivenIsInTheServicesWords) {
  const Json settings = SettingsOfDemo(DemoCluster(
      "backends: [{name: local, embedded: {storage: {size: 1Gi}, archivedLogSize: 2Gi}}]\n" + std::string(kStores) +
      "backups: {claimName: backups, changeArchive: {interval: 30s, segmentSize: 4Mi, bufferSize: 128Mi}}"));
  EXPECT_EQ(settings.at("backups"), Json({{"directory", "/var/lib/holdfast-backups"},
                                          {"change_archive_interval", "30s"},
                                          {"change_archive_segment_bytes", "4Mi"},
                                          {"change_archive_buffer", "128Mi"}}));
  EXPECT_EQ(settings.at("backends").at("local").at("archived_log_size"), "2Gi");
}

// 128Mi of its own, 64Mi of the backend, 128Mi for backups; with a change log what a replay holds, and of a store in
// memory what waits.
TEST(ChangeArchive, HasItsMemory) {
  const std::string place = "backups: {claimName: backups}";
  const std::string without = "stores: [{name: main, backend: local}]\n";
  EXPECT_EQ(Memory(DemoCluster(kEmbedded + without + place)), "320Mi");
  EXPECT_EQ(Memory(DemoCluster(std::string(kEmbedded) + kStores + place)), "576Mi");
  EXPECT_EQ(Memory(DemoCluster(std::string(kInMemory) + kStores + place)), "640Mi");
  EXPECT_EQ(Memory(DemoCluster(std::string(kInMemory) + kStores +
                               "backups: {claimName: backups, changeArchive: {bufferSize: 128Mi}}")),
            "704Mi");
}

}  // namespace
}  // namespace holdfast::resources
