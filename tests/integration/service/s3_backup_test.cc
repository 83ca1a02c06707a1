// The running service with its backups on an S3 server, by the commands that people give.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/integration/service/service_fixture.h"
#include "tests/s3/s3_server.h"

namespace holdfast {
namespace {

using nlohmann::json;
using s3_servers::S3Server;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class S3BackupTest : public testing::Test {
 protected:
  S3BackupTest() { static_cast<void>(server_.MakeBucket("backups")); }

  std::string Settings() const {
    return "backups: {key_file: " + folder_.Write("key", std::string(64, 'a') + "\n") + ", s3: {endpoint: '" +
           server_.url() + "', bucket: backups, prefix: some/where, region: " + s3_servers::kRegion +
           ", ca_file: " + server_.ca_file().string() + ", access_key_file: " + server_.access_key_file().string() +
           ", secret_key_file: " + secret_key_file_ + "}}\n";
  }
  void WriteSecretKey(const std::string& key) const { folder_.Write("secret-key", key + '\n'); }

  const TemporaryFolder folder_;
  const S3Server& server_ = s3_servers::SharedTlsServer();
  const std::string secret_key_file_ = folder_.Write("secret-key", std::string(s3_servers::kSecretKey) + '\n');
};

TEST_F(S3BackupTest, IsMadeTriedRestoredAndRemovedOnTheCommandLine) {
  Service service(folder_, "rocksdb", Settings());
  const std::string key = "/v1/stores/main/keys/k";
  service.Send("PUT", key, {}, "before");
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "backup");
    words.insert(words.end(), {"--url", service.url()});
    return RunHoldfast({words, {}, ""});
  };
  const Finished created = run({"create", "one"});
  ASSERT_EQ(created.exit_code, 0) << created.errors;
  const json made = json::parse(created.output).at("item");
  EXPECT_EQ(made.at("encrypted"), true);
  EXPECT_EQ(made.at("verified"), true);
  EXPECT_EQ(json::parse(run({"list"}).output).at("items").size(), 1U);
  const Finished drilled = run({"verify", "one", "--drill"});
  EXPECT_EQ(drilled.exit_code, 0) << drilled.errors;
  service.Send("PUT", key, {}, "after");
  const Finished restored = run({"restore", "one"});
  EXPECT_EQ(restored.exit_code, 0) << restored.errors;
  EXPECT_EQ(service.Send("GET", key).body, "before");
  EXPECT_EQ(json::parse(run({"prune"}).output).at("removed"), json::array());

  service.Send("PUT", key, {}, "later");
  const Finished increment = run({"create", "its-increment", "--incremental"});
  ASSERT_EQ(increment.exit_code, 0) << increment.errors;
  EXPECT_EQ(json::parse(increment.output).at("item").at("parent"), "one");
  service.Send("PUT", key, {}, "lost");
  EXPECT_EQ(run({"restore", "its-increment"}).exit_code, 0);
  EXPECT_EQ(service.Send("GET", key).body, "later");
  EXPECT_THAT(run({"delete", "one"}).errors, HasSubstr("delete its-increment first"));
  EXPECT_EQ(run({"delete", "its-increment"}).exit_code, 0);

  // A key that is exchanged is used at once; neither of them is in what is said.
  WriteSecretKey("nobodys-secret-key");
  const Finished refused = run({"create", "two"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.errors, AllOf(HasSubstr("failed_precondition"), HasSubstr("backups.s3.secret_key_file")));
  WriteSecretKey(s3_servers::kSecretKey);
  EXPECT_EQ(run({"delete", "one"}).exit_code, 0);
  EXPECT_EQ(json::parse(run({"list"}).output).at("items"), json::array());
  const std::string log = service.process().Errors() + service.process().Output() + refused.errors;
  EXPECT_THAT(log, AllOf(Not(HasSubstr("nobodys-secret-key")), Not(HasSubstr(s3_servers::kSecretKey))));
  EXPECT_THAT(log, HasSubstr("has no conditional writes")) << "Swift has none";
}

TEST(S3BackupSettings, WhatIsWrongWithThemIsSaidBeforeTheServiceStarts) {
  const TemporaryFolder folder;
  const auto check = [&folder](const std::string& more) {
    const std::string path =
        folder.Write("wrong.yaml", "backends: {local: {type: memory}}\nbackups: {s3: {" + more + "}}\n");
    return RunHoldfast({{"check-config", "--config", path}, {}, ""});
  };
  const std::string whole =
      "endpoint: https://s3.example.com, bucket: backups, access_key_file: /a, secret_key_file: /b";
  EXPECT_EQ(check(whole).exit_code, 0) << check(whole).errors;
  for (const auto& [settings, about] : std::vector<std::pair<std::string, std::string>>{
           {"endpoint: https://s3.example.com", "backups.s3.bucket"},
           {"endpoint: https://s3.example.com", "backups.s3.access_key_file"},
           {"bucket: backups", "backups.s3.endpoint"},
           {whole + ", prefix: ../elsewhere", "backups.s3.prefix"},
           {whole + ", ca_file: /nowhere", "backups.s3.ca_file"},
           {whole + ", secret_key: word", "backups.s3.secret_key"}}) {
    const Finished checked = check(settings);
    EXPECT_EQ(checked.exit_code, 2) << settings;
    EXPECT_THAT(checked.errors, HasSubstr(about)) << settings;
  }
}

}  // namespace
}  // namespace holdfast
