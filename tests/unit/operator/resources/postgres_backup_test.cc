#include "operator/resources/postgres_backup.h"

#include "base/config/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "operator/resources/postgres.h"
#include "tests/unit/operator/resources/find.h"

namespace holdfast::resources {
namespace {

using kube::Json;
using ::testing::HasSubstr;
using ::testing::Not;

api::StorageCluster Cluster(bool backup, bool restore) {
  api::StorageCluster cluster;
  cluster.ns = "prod";
  cluster.name = "demo";
  cluster.uid = "u-1";
  api::PostgresBackend postgres;
  postgres.storage_size = "20Gi";
  postgres.instances = 2;
  if (backup) {
    postgres.backup = api::PostgresBackup{.storage_size = "50Gi", .full_schedule = "30 1 * * 0"};
    postgres.backup->passphrase = {"vault", "word"};
  }
  if (restore) postgres.restore = api::PostgresRestore{.claim = "repository-old-db-backup-0"};
  cluster.spec.backends = {{"db", postgres}};
  cluster.spec.stores = {{"main", "db", std::nullopt}};
  cluster.spec.default_store = "main";
  return cluster;
}

api::PostgresBackend& Postgres(api::StorageCluster& cluster) {
  return std::get<api::PostgresBackend>(cluster.spec.backends[0].kind);
}

Json Files(const api::StorageCluster& cluster) {
  return Find(cluster, "ConfigMap", "demo-db-settings").at("data");
}

std::string Text(const Json& files, const char* name) {
  return files.at(name).get<std::string>();
}

TEST(PostgresBackup, WithoutItNothingIsThere) {
  const api::StorageCluster cluster = Cluster(false, false);
  EXPECT_TRUE(Find(cluster, "StatefulSet", "demo-db-backup").is_null());
  EXPECT_FALSE(Files(cluster).contains(kBackupProgram));
  EXPECT_EQ(Find(cluster, "StatefulSet", "demo-db").dump().find("backup"), std::string::npos);
}

TEST(PostgresBackup, OnlyTheRepositoryKnowsThePassphrase) {
  const api::StorageCluster cluster = Cluster(true, false);
  const Json files = Files(cluster);
  EXPECT_THAT(Text(files, "repository.conf"), HasSubstr("repo1-cipher-pass={{file:passphrase}}"));
  EXPECT_THAT(Text(files, "pgbackrest.conf"), Not(HasSubstr("cipher")));
  EXPECT_THAT(Find(cluster, "StatefulSet", "demo-db-backup").dump(), HasSubstr("vault"));
  EXPECT_THAT(Find(cluster, "StatefulSet", "demo-db").dump(), Not(HasSubstr("vault")));
}

TEST(PostgresBackup, TheRepositoryReachesEveryServerAndKeepsWhatIsAskedFor) {
  api::StorageCluster cluster = Cluster(true, false);
  Postgres(cluster).backup->full_retention = 3;
  Postgres(cluster).backup->differential_retention = 7;
  const std::string text = Text(Files(cluster), "repository.conf");
  for (const char* line :
       {"pg1-host=demo-db-0.demo-db-pods.prod.svc\n", "pg2-host=demo-db-1.demo-db-pods.prod.svc\n",
        "pg2-host-type=tls\n", "repo1-retention-full=3\n", "repo1-retention-diff=7\n",
        "tls-server-auth=demo-db-primary.prod.svc=main\n", "repo1-path=/var/lib/pgbackrest/repository\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("pg3-")));
  EXPECT_THAT(Text(Files(cluster), "pgbackrest.conf"), HasSubstr("repo1-host=demo-db-backup.prod.svc\n"));
}

TEST(PostgresBackup, ServersArchiveAndStopWhenItIsTakenAway) {
  const api::StorageCluster cluster = Cluster(true, false);
  const Json with = DynamicConfiguration(cluster, *cluster.spec.backends[0].postgres());
  const Json& parameters = with.at("postgresql").at("parameters");
  EXPECT_EQ(parameters.at("archive_mode"), "on");
  EXPECT_EQ(parameters.at("archive_command"), "pgbackrest --stanza=main --io-timeout=10 archive-push %p");
  const api::StorageCluster plain = Cluster(false, false);
  const Json without = DynamicConfiguration(plain, *plain.spec.backends[0].postgres());
  const Json merged = MergedDynamicConfiguration(with, without);
  EXPECT_FALSE(merged.at("postgresql").at("parameters").contains("archive_mode"));
}

TEST(PostgresBackup, WhatIsBesideAServerReadsTheDataAndHasNoToken) {
  const Json pod = Find(Cluster(true, false), "StatefulSet", "demo-db").at("spec").at("template").at("spec");
  const Json& container = pod.at("containers").at(1);
  EXPECT_EQ(container.at("name"), "backup");
  int found = 0;
  for (const Json& mount : container.at("volumeMounts")) {
    if (mount.at("name") == kPostgresVolume) found += mount.at("readOnly") == true ? 1 : 10;
    if (mount.at("name") == "no-token") ++found;
  }
  EXPECT_EQ(found, 2);
}

TEST(PostgresBackup, MoreServersAreNoReasonToReplaceThoseThatAreThere) {
  api::StorageCluster cluster = Cluster(true, false);
  const auto checksum = [&](const char* set) {
    return Find(cluster, "StatefulSet", set).at("/spec/template/metadata/annotations"_json_pointer).dump();
  };
  const std::string servers = checksum("demo-db");
  const std::string repository = checksum("demo-db-backup");
  Postgres(cluster).instances = 3;
  EXPECT_EQ(checksum("demo-db"), servers);
  EXPECT_NE(checksum("demo-db-backup"), repository) << "it has to know the new one";
}

api::S3Repository S3() {
  return {.endpoint = "https://s3.example.com:9000",
          .bucket = "databases",
          .prefix = "prod/demo-db",
          .region = "eu-1",
          .access_key = {"store", "id"},
          .secret_key = {"store", "word"},
          .authority = api::SecretKey{"authorities", "pem"}};
}

TEST(PostgresBackup, AnObjectStoreNeedsNoVolumeAndItsKeysAreInNoConfigMap) {
  api::StorageCluster cluster = Cluster(true, false);
  Postgres(cluster).backup->s3 = S3();
  const std::string text = Text(Files(cluster), "repository.conf");
  for (const char* line :
       {"repo1-type=s3\n", "repo1-path=/prod/demo-db\n", "repo1-s3-endpoint=s3.example.com\n",
        "repo1-storage-port=9000\n", "repo1-s3-bucket=databases\n", "repo1-s3-uri-style=path\n",
        "repo1-s3-key={{file:s3-access-key}}\n", "repo1-s3-key-secret={{file:s3-secret-key}}\n",
        "repo1-storage-ca-file={{env:CREDENTIALS_DIR}}/s3-ca.crt\n", "repo1-cipher-pass={{file:passphrase}}\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  const Json spec = Find(cluster, "StatefulSet", "demo-db-backup").at("spec");
  EXPECT_FALSE(spec.contains("volumeClaimTemplates"));
  EXPECT_THAT(spec.dump(), HasSubstr(R"({"key":"word","path":"s3-secret-key"})"));
  EXPECT_THAT(Find(cluster, "StatefulSet", "demo-db").dump(), Not(HasSubstr("\"store\"")));
  for (const VolumeSet& set : VolumeSets(cluster)) EXPECT_NE(set.role, std::string(kBackupRole));
  Postgres(cluster).backup->s3->endpoint = "https://s3.example.com";
  Postgres(cluster).backup->s3->path_style = false;
  Postgres(cluster).backup->s3->authority.reset();
  const std::string plain = Text(Files(cluster), "repository.conf");
  EXPECT_THAT(plain, HasSubstr("repo1-storage-port=443\n"));
  EXPECT_THAT(plain, HasSubstr("repo1-s3-uri-style=host\n"));
  EXPECT_THAT(plain, Not(HasSubstr("ca-file={{env:CREDENTIALS_DIR}}")));
}

TEST(PostgresBackup, ARestoreReadsAnObjectStore) {
  api::StorageCluster cluster = Cluster(false, true);
  Postgres(cluster).restore = api::PostgresRestore{.s3 = S3()};
  EXPECT_THAT(Text(Files(cluster), "source-repository.conf"), HasSubstr("repo1-type=s3\n"));
  const std::string pod = Find(cluster, "StatefulSet", "demo-db-source").dump();
  EXPECT_THAT(pod, Not(HasSubstr("persistentVolumeClaim")));
  EXPECT_THAT(pod, HasSubstr("s3-access-key"));
}

TEST(PostgresBackup, ARestoreBeginsByThatAndLeavesNoTraceInTheServers) {
  api::StorageCluster cluster = Cluster(true, true);
  Postgres(cluster).restore->to_time = "2026-11-23T08:00:00.25+02:00";
  const Json files = Files(cluster);
  const Json patroni = config::ParseYamlDocuments(Text(files, "patroni.yml"), "patroni.yml")->front();
  EXPECT_EQ(patroni.at("bootstrap").at("method"), "restore");
  EXPECT_FALSE(patroni.at("bootstrap").contains("initdb"));
  EXPECT_THAT(Text(files, "restore.sh"),
              HasSubstr(R"(--type=time --target="2026-11-23 06:00:00.25+00" --target-action=promote)"));
  EXPECT_THAT(Text(files, "application.sql"), HasSubstr("ALTER ROLE holdfast LOGIN PASSWORD"));
  EXPECT_THAT(Text(files, "application.sql"), Not(HasSubstr("CREATE")));
  // The other repository is only read.
  const Json source = Find(cluster, "StatefulSet", "demo-db-source").at("spec");
  EXPECT_FALSE(source.contains("volumeClaimTemplates"));
  EXPECT_THAT(source.dump(), HasSubstr(R"("claimName":"repository-old-db-backup-0","readOnly":true)"));
  EXPECT_THAT(Text(files, "pgbackrest.conf"), Not(HasSubstr("source")));

  const Json servers = Find(cluster, "StatefulSet", "demo-db");
  Postgres(cluster).restore.reset();
  EXPECT_EQ(Find(cluster, "StatefulSet", "demo-db"), servers) << "the field can be removed without a restart";
  EXPECT_TRUE(Find(cluster, "StatefulSet", "demo-db-source").is_null());
}

}  // namespace
}  // namespace holdfast::resources
