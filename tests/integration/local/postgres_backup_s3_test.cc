// A repository of pgBackRest in an object store: a real S3 server (OpenStack Swift with its s3api) behind TLS.
#include "tests/integration/local/postgres_backup_fixture.h"
#include "tests/s3/s3_server.h"

namespace holdfast::local {
namespace {

constexpr char kBucket[] = "databases";
constexpr char kWrongKey[] = "not-the-key-of-the-tests";

class LocalPostgresBackupS3Test : public LocalPostgresBackupTest {
 protected:
  static json Reference(const char* key) { return {{"name", "repository"}, {"key", key}}; }
  json S3() const {
    return {{"endpoint", fmt::format("https://localhost:{}", store_->port())},
            {"bucket", kBucket},
            {"prefix", "prod/demo-db"},
            {"region", s3_servers::kRegion},
            {"accessKeySecretRef", Reference("access-key")},
            {"secretKeySecretRef", Reference("secret-key")},
            {"caSecretRef", Reference("ca")}};
  }
  json BackupToS3() const {
    json backup = Backup();
    backup.erase("storage");
    backup["s3"] = S3();
    return backup;
  }
  json SecretWith(const std::string& secret_key) const {
    return Secret("repository", {{"passphrase", kPassphrase},
                                 {"access-key", s3_servers::kAccessKey},
                                 {"secret-key", secret_key},
                                 {"ca", store_->ca_pem()}});
  }
  // Where it has no business: "" = nowhere.
  std::string WhereIsTheKey() const {
    for (const char* key : {s3_servers::kSecretKey, kWrongKey, kPassphrase}) {
      for (const char* kind : {"configmaps", "pods", "events"}) {
        const json list = Kubernetes(fmt::format("/api/v1/namespaces/default/{}", kind));
        if (list.dump().find(key) != std::string::npos) return fmt::format("{} has {}", kind, key);
      }
      if (Kubernetes(kClusters).dump().find(key) != std::string::npos) return "the status";
      for (const auto& log : std::filesystem::directory_iterator(root() / "logs")) {
        if (FileText(log.path()).find(key) != std::string::npos) return log.path().string();
      }
      std::error_code gone;
      for (const auto& process : std::filesystem::directory_iterator("/proc", gone)) {
        const std::string arguments = FileText(process.path() / "cmdline");
        if (arguments.find("pgbackrest") != std::string::npos && arguments.find(key) != std::string::npos) {
          return arguments;
        }
      }
    }
    return {};
  }

  const std::unique_ptr<s3_servers::S3Server> store_ = s3_servers::S3Server::Start({.tls = true}).value();
};

TEST_F(LocalPostgresBackupS3Test, pitr_OfARepositoryInAnObjectStoreAndKeysThatChange) {
  const s3::BucketOptions bucket = store_->MakeBucket(kBucket);
  ASSERT_EQ(bucket.bucket, kBucket);
  ASSERT_NO_FATAL_FAILURE(StartWith(SecretWith(kWrongKey), Cluster("demo", Postgres({{"backup", BackupToS3()}}))));
  // A key that the store refuses is told, PostgreSQL takes writes, and another one needs nothing to be started anew.
  ASSERT_TRUE(Put("first"));
  EXPECT_TRUE(Eventually([&] { return Row("demo").value("message", "").find("403") != std::string::npos; }, kPatience))
      << WhatIsWrong();
  EXPECT_FALSE(Is("demo", "BackupHealthy"));
  const std::string pod = "/api/v1/namespaces/default/pods/demo-db-backup-0";
  const std::string uid = Kubernetes(pod).value("/metadata/uid"_json_pointer, "");
  Patch("/api/v1/namespaces/default/secrets/repository",
        {{"data", {{"secret-key", kube::Base64Encode(s3_servers::kSecretKey)}}}});
  std::string leak;
  const auto told_or_leaked = [&](const char* field) {
    leak = WhereIsTheKey();
    return !Row("demo").value(field, "").empty() || !leak.empty();
  };
  ASSERT_TRUE(Eventually([&] { return told_or_leaked("lastFull"); }, kPatience)) << WhatIsWrong();
  EXPECT_EQ(leak, "");
  EXPECT_EQ(Kubernetes(pod).value("/metadata/uid"_json_pointer, "none"), uid);
  EXPECT_TRUE(FolderOf("repository-demo-db-backup-0").empty()) << "there is no volume";

  std::vector<std::string> before = {"first"};
  for (int i = 0; i < 20; ++i) {
    before.push_back(fmt::format("key-{:02}", i));
    ASSERT_TRUE(Put(before.back()));
  }
  const Timestamp time = SystemClock().Now();
  ASSERT_TRUE(Eventually([&] { return SystemClock().Now() > time; }));
  ASSERT_TRUE(Put("after"));
  std::vector<std::string> all = before;
  all.insert(all.begin(), "after");
  const Timestamp written = SystemClock().Now();
  ASSERT_TRUE(Eventually([&] { return BackedUpSince(written); }, kPatience)) << WhatIsWrong();
  EXPECT_TRUE(Eventually([&] { return Is("demo", "BackupHealthy"); }, kPatience)) << WhatIsWrong();

  const std::string server = Event("api")["server"];
  ASSERT_EQ(Ask(server, "DELETE", fmt::format("{}/demo", kClusters)).status / 100, 2);
  ASSERT_TRUE(
      Eventually([&] { return Kubernetes(fmt::format("{}/demo", kClusters)).value("code", 0) == 404; }, kPatience));
  json restore = {{"s3", S3()}, {"toTime", FormatTimestamp(time)}, {"passphraseSecretRef", Reference("passphrase")}};
  Make(Cluster("past", Postgres({{"restoreFrom", restore}})));
  ASSERT_TRUE(Eventually([&] { return Is("past", "Ready"); }, kPatience)) << WhatIsWrong();
  EXPECT_TRUE(Eventually([&] { return Keys(ServiceOf("past")) == before; })) << WhatIsWrong();

  // The control: without a time the row from behind it is there.
  restore.erase("toTime");
  Make(Cluster("whole", Postgres({{"restoreFrom", restore}})));
  ASSERT_TRUE(Eventually([&] { return Is("whole", "Ready"); }, kPatience)) << WhatIsWrong();
  EXPECT_TRUE(Eventually([&] { return Keys(ServiceOf("whole")) == all; })) << WhatIsWrong();
  EXPECT_EQ(WhereIsTheKey(), "");
  End();
}

}  // namespace
}  // namespace holdfast::local
