// Where backups lie, the cluster's own and another one's, in the service's settings and in what its pods mount; and how
// many of each store are kept.
#include "operator/resources/backup_place.h"

#include "gtest/gtest.h"
#include "tests/unit/operator/resources/demo_cluster.h"

namespace holdfast::resources {
namespace {

using kube::Json;

// `backups`: as spec.backups.
api::StorageCluster Cluster(const std::string& backups) {
  return DemoCluster("backends: [{name: local, memory: {maxBytes: 64Mi}}]\nstores: [{name: main, backend: local}]\n" +
                     backups);
}

Json Settings(const api::StorageCluster& cluster) {
  return SettingsOfDemo(cluster).value("backups", Json());
}

Json PodSpec(const api::StorageCluster& cluster) {
  for (const char* kind : {"Deployment", "StatefulSet"}) {
    const Json set = Find(cluster, kind, "demo");
    if (!set.is_null()) return set.at("/spec/template/spec"_json_pointer);
  }
  return nullptr;
}

// Of those whose name begins with "backup", by it: what is mounted, and where.
Json Mounts(const api::StorageCluster& cluster) {
  const Json pod = PodSpec(cluster);
  Json mounts = Json::object();
  for (const Json& mount : pod.at("/containers/0/volumeMounts"_json_pointer)) {
    const std::string name = mount.at("name");
    if (!name.starts_with("backup")) continue;
    mounts[name] = {{"path", mount.at("mountPath")}, {"readOnly", mount.value("readOnly", false)}};
    for (const Json& volume : pod.at("volumes")) {
      if (volume.at("name") != name) continue;
      mounts[name]["of"] = volume.contains("secret") ? volume.at("/secret/secretName"_json_pointer)
                                                     : volume.at("/persistentVolumeClaim/claimName"_json_pointer);
    }
  }
  return mounts;
}

TEST(BackupSource, IsAPlaceBesideTheClustersOwn) {
  const api::StorageCluster cluster = Cluster(
      "backups:\n"
      "  claimName: backups\n"
      "  encryptionKeySecretRef: {name: vault, key: ours}\n"
      "  source: {claimName: former, encryptionKeySecretRef: {name: vault, key: theirs}}\n");
  EXPECT_EQ(Settings(cluster), Json({{"directory", "/var/lib/holdfast-backups"},
                                     {"key_file", "/etc/holdfast-backup-key/key"},
                                     {"source",
                                      {{"directory", "/var/lib/holdfast-backup-source"},
                                       {"key_file", "/etc/holdfast-backup-source-key/key"}}}}));
  const Json mounts = Mounts(cluster);
  EXPECT_EQ(mounts.at("backups"),
            Json({{"path", "/var/lib/holdfast-backups"}, {"readOnly", false}, {"of", "backups"}}));
  EXPECT_EQ(mounts.at("backup-source"),
            Json({{"path", "/var/lib/holdfast-backup-source"}, {"readOnly", true}, {"of", "former"}}));
  EXPECT_EQ(mounts.at("backup-source-key"),
            Json({{"path", "/etc/holdfast-backup-source-key"}, {"readOnly", true}, {"of", "vault"}}));
}

TEST(BackupSource, IsThereAlone) {
  const api::StorageCluster cluster = Cluster(
      "backups: {source: {s3: {endpoint: 'https://s3.example.com', bucket: theirs, prefix: a/b, region: eu-1,"
      " pathStyle: false, credentialsSecretName: reader}}}\n");
  EXPECT_EQ(Settings(cluster), Json({{"source",
                                      {{"s3",
                                        {{"endpoint", "https://s3.example.com"},
                                         {"bucket", "theirs"},
                                         {"prefix", "a/b"},
                                         {"region", "eu-1"},
                                         {"path_style", false},
                                         {"access_key_file", "/etc/holdfast-backup-source-bucket/accessKey"},
                                         {"secret_key_file", "/etc/holdfast-backup-source-bucket/secretKey"}}}}}}));
  EXPECT_EQ(Mounts(cluster),
            Json({{"backup-source-bucket",
                   {{"path", "/etc/holdfast-backup-source-bucket"}, {"readOnly", true}, {"of", "reader"}}}}));
  EXPECT_FALSE(cluster.spec.backups) << "nothing is made there";
}

TEST(BackupSource, ItsMemoryIsAskedFor) {
  const auto memory = [](const std::string& backups) {
    return PodSpec(Cluster(backups)).at("/containers/0/resources/requests/memory"_json_pointer).get<std::string>();
  };
  // 128Mi of its own, 64Mi of the backend; 128Mi for backups, and what a replay of the source's changes holds.
  EXPECT_EQ(memory(""), "192Mi");
  EXPECT_EQ(memory("backups: {claimName: backups}"), "320Mi");
  EXPECT_EQ(memory("backups: {source: {claimName: former}}"), "576Mi");
  EXPECT_EQ(memory("backups: {claimName: backups, source: {claimName: former}}"), "576Mi");
}

Json StoresWith(const std::string& backups) {
  return SettingsOfDemo(DemoCluster("backends: [{name: local, memory: {}}]\n"
                                    "stores: [{name: main, backend: local}, {name: other, backend: local}]\n" +
                                    backups))
      .at("stores");
}

TEST(BackupRetention, IsASettingOfEveryStore) {
  const Json stores = StoresWith("backups: {claimName: backups, retention: {keepLast: 3, keepDays: 14, keepWeeks: 8}}");
  for (const char* store : {"main", "other"}) {
    EXPECT_EQ(stores.at(store),
              Json({{"backend", "local"}, {"backup_keep_last", 3}, {"backup_keep_days", 14}, {"backup_keep_weeks", 8}}))
        << store;
  }
}

TEST(BackupRetention, WhatIsNotGivenIsAsTheServiceHasItByDefault) {
  EXPECT_EQ(StoresWith("backups: {claimName: backups, retention: {keepWeeks: 4}}").at("main"),
            Json({{"backend", "local"}, {"backup_keep_last", 7}, {"backup_keep_days", 0}, {"backup_keep_weeks", 4}}));
}

TEST(BackupRetention, OfNothingKeepsEverything) {
  EXPECT_EQ(StoresWith("backups: {claimName: backups, retention: {keepLast: 0}}").at("main"),
            Json({{"backend", "local"}, {"backup_keep_last", 0}, {"backup_keep_days", 0}, {"backup_keep_weeks", 0}}));
}

// Clusters of a former release: nothing that is new may restart their pods.
TEST(BackupRetention, IsNoSettingOfStoresWithoutIt) {
  EXPECT_EQ(StoresWith("backups: {claimName: backups}").at("main"), Json({{"backend", "local"}}));
}

}  // namespace
}  // namespace holdfast::resources
