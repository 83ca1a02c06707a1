// Backups of one deployment restored into a store of another one, which has a name of its own: by the commands that
// people give, in a folder and on an S3 server. What lies there is compared, byte by byte, before and after.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <thread>

#include "base/time/duration.h"
#include "service/s3/bucket.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/s3/s3_proxy.h"
#include "tests/s3/s3_server.h"

namespace holdfast {
namespace {

using nlohmann::json;
using s3_servers::SharedServer;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kTheirs = "/v1/stores/main/keys/";
const std::string kOurs = "/v1/stores/copy/keys/";

// Of every object its bytes and when it was last changed.
using Contents = std::map<std::string, std::pair<std::string, std::int64_t>>;

class BackupSourceTest : public testing::TestWithParam<std::string> {
 protected:
  BackupSourceTest() {
    if (!on_s3()) return;
    static std::atomic<int> made{0};
    bucket_ = SharedServer().MakeBucket(fmt::format("conditional-{}", ++made));
    way_there_ = std::make_unique<s3_servers::S3Proxy>(SharedServer().port());
  }
  static bool on_s3() { return GetParam() == "s3"; }

  std::filesystem::path Folder() const { return theirs_.path() / "backups"; }
  // `endpoint`: of the server, by which way it is.
  std::string Place(const std::string& endpoint) const {
    if (!on_s3()) return "directory: " + Folder().string();
    return fmt::format(
        "s3: {{endpoint: '{}', bucket: {}, prefix: some/where, region: {}, access_key_file: {}, secret_key_file: {}}}",
        endpoint, bucket_.bucket, s3_servers::kRegion, bucket_.access_key_file, bucket_.secret_key_file);
  }
  std::string KeyFile(char digit) const {
    return theirs_.Write(std::string("key-") + digit, std::string(64, digit) + "\n");
  }
  // The other deployment.
  Service OpenTheirs() const {
    return {theirs_, "rocksdb",
            fmt::format("stores: {{main: {{backend: local, change_archive: true}}}}\nbackups: {{{}, key_file: {}, "
                        "change_archive_interval: 1h}}\n",
                        Place(bucket_.endpoint), KeyFile('a'))};
  }
  // `own`: where it puts its own backups.
  Service OpenOurs(const std::string& own, char key = 'a') const {
    return {ours_, "rocksdb",
            fmt::format("stores: {{copy: {{backend: local}}}}\nbackups: {{{}source: {{{}, key_file: {}}}}}\n", own,
                        Place(on_s3() ? way_there_->url() : ""), KeyFile(key))};
  }
  std::string OwnPlace() const { return "directory: " + (ours_.path() / "own").string() + ", "; }

  Contents Lying() const {
    Contents all;
    if (on_s3()) {
      s3::Bucket bucket(bucket_);
      const auto listed = bucket.List("", Deadline::Infinite());
      EXPECT_TRUE(listed.ok()) << listed.error().ToString();
      if (!listed.ok()) return all;
      for (const s3::Listed& one : *listed) {
        const auto bytes = bucket.Get(one.key, std::size_t{1} << 30, Deadline::Infinite());
        EXPECT_TRUE(bytes.ok()) << one.key;
        all[one.key] = {bytes.ok() ? *bytes : "", one.modified_at.time_since_epoch().count()};
      }
      return all;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(Folder())) {
      std::ifstream file(entry.path(), std::ios::binary);
      all[entry.path().string()] = {
          entry.is_regular_file() ? std::string(std::istreambuf_iterator<char>(file), {}) : "",
          entry.last_write_time().time_since_epoch().count()};
    }
    return all;
  }
  // A byte in the middle of the first object of a backup.
  void Damage(const std::string& id) const {
    for (const auto& [name, content] : Lying()) {
      if (name.find("/main/" + id + "/") == std::string::npos || !name.ends_with("-00000001")) continue;
      std::string bytes = content.first;
      char& middle = bytes[bytes.size() / 2];
      middle = static_cast<char>(middle ^ 1);
      if (on_s3()) {
        ASSERT_TRUE(s3::Bucket(bucket_).Put(name, bytes, Deadline::Infinite()).ok());
      } else {
        std::ofstream(name, std::ios::binary | std::ios::trunc).write(bytes.data(), std::ssize(bytes));
      }
      return;
    }
    FAIL() << "backup " << id << " has no first object";
  }

  static Finished Run(const Service& service, std::vector<std::string> words) {
    words.insert(words.end(), {"--url", service.url()});
    return RunHoldfast({words, {}, ""});
  }
  static Finished Backup(const Service& service, std::vector<std::string> words) {
    words.insert(words.begin(), "backup");
    return Run(service, words);
  }
  static std::string BodyOf(Service& service, const std::string& key) {
    const auto got = service.Send("GET", key);
    return got.status == 200 ? got.body : std::to_string(got.status);
  }
  // Behind every answer before it, and before every request behind it.
  static std::string Moment() {
    const Timestamp moment = SystemClock().Now();
    while (SystemClock().Now() <= moment) std::this_thread::yield();
    return FormatTimestamp(moment);
  }

  // Two backups and changes between them; a time of those.
  std::string MakeTheirs() const {
    Service service = OpenTheirs();
    service.Send("PUT", kTheirs + "k", {{"Holdfast-Metadata", R"({"n":1})"}}, "first");
    EXPECT_EQ(Backup(service, {"create", "one"}).exit_code, 0);
    service.Send("PUT", kTheirs + "k", {}, "between");
    service.Send("PUT", kTheirs + "theirs", {{"Holdfast-Namespace", "team-a"}}, "between");
    std::string moment = Moment();
    service.Send("PUT", kTheirs + "k", {}, "last");
    const Finished two = Backup(service, {"create", "two", "--incremental"});
    EXPECT_EQ(two.exit_code, 0) << two.errors;
    return moment;
  }

  const TemporaryFolder theirs_;
  const TemporaryFolder ours_;

  // What was asked of the source's server so far is no more than a key needs that may only read.
  void ExpectOnlyRead() const {
    if (!on_s3()) return;
    const std::vector<std::string> heads = way_there_->heads();
    EXPECT_GT(heads.size(), 5u);
    for (const std::string& head : heads) {
      EXPECT_THAT(head, StartsWith("GET "));
      EXPECT_THAT(head.substr(0, head.find('\n')), Not(HasSubstr("uploads")));
    }
  }

  s3::BucketOptions bucket_;
  std::unique_ptr<s3_servers::S3Proxy> way_there_;  // of ours; on S3
};

TEST_P(BackupSourceTest, IsListedVerifiedAndRestoredAlsoToATimeAndNothingOfItChanges) {
  const std::string moment = MakeTheirs();
  const Contents lying = Lying();
  ASSERT_GT(lying.size(), 5u);
  Service service = OpenOurs(OwnPlace());
  service.Send("PUT", kOurs + "own", {}, "mine");

  const json list = json::parse(Backup(service, {"list", "--source", "main"}).output);
  ASSERT_EQ(list.at("items").size(), 2u);
  EXPECT_EQ(list.at("items").at(1).at("parent"), "one");
  EXPECT_LE(list.at("restorable").at("earliest").get<std::string>(), moment);
  EXPECT_GE(list.at("restorable").at("latest").get<std::string>(), moment);
  EXPECT_EQ(json::parse(Backup(service, {"list"}).output).at("items"), json::array()) << "they are not ours";
  EXPECT_EQ(json::parse(Backup(service, {"show", "one", "--source", "main"}).output), list.at("items").at(0));
  const Finished verified = Backup(service, {"verify", "two", "--source", "main"});
  EXPECT_EQ(verified.exit_code, 0) << verified.errors;

  const Finished restored = Backup(service, {"restore", "two", "--source", "main"});
  ASSERT_EQ(restored.exit_code, 0) << restored.errors;
  const json run = json::parse(restored.output);
  EXPECT_EQ(run.at("source"), "main");
  EXPECT_EQ(run.at("restored"), 2);
  EXPECT_EQ(run.at("deleted"), 1);
  EXPECT_EQ(BodyOf(service, kOurs + "k"), "last");
  EXPECT_EQ(BodyOf(service, kOurs + "own"), "404");
  EXPECT_EQ(service.Send("GET", kOurs + "theirs", {{"Holdfast-Namespace", "team-a"}}).body, "between");

  const Finished to_time = Run(service, {"restore", "--to-time", moment, "--source", "main"});
  ASSERT_EQ(to_time.exit_code, 0) << to_time.errors;
  EXPECT_EQ(json::parse(to_time.output).at("backup"), "one");
  EXPECT_EQ(BodyOf(service, kOurs + "k"), "between");

  // What is made and removed here is our own, also under a name that is there.
  ASSERT_EQ(Backup(service, {"create", "one"}).exit_code, 0);
  ASSERT_EQ(Backup(service, {"prune"}).exit_code, 0);
  ASSERT_EQ(Backup(service, {"delete", "one"}).exit_code, 0);
  EXPECT_EQ(Lying(), lying);
  ExpectOnlyRead();
  // And back.
  EXPECT_EQ(Run(service, {"checkpoint", "restore", run.at("undo")}).exit_code, 0);
  EXPECT_EQ(BodyOf(service, kOurs + "own"), "mine");
  // The control: the other deployment changes them.
  EXPECT_EQ(Backup(OpenTheirs(), {"verify", "one"}).exit_code, 0);
  EXPECT_NE(Lying(), lying);
}

TEST_P(BackupSourceTest, IsRestoredWhereNoBackupsAreMade) {
  MakeTheirs();
  const Contents lying = Lying();
  Service service = OpenOurs("");
  const Finished restored = Backup(service, {"restore", "one", "--source", "main"});
  ASSERT_EQ(restored.exit_code, 0) << restored.errors;
  EXPECT_EQ(BodyOf(service, kOurs + "k"), "first");
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"create"}, {"list"}, {"prune"}, {"show", "one"}, {"delete", "one"}}) {
    const Finished refused = Backup(service, words);
    EXPECT_NE(refused.exit_code, 0) << words.front();
    EXPECT_THAT(refused.errors, HasSubstr("backups.directory")) << words.front();
  }
  EXPECT_EQ(Lying(), lying);
}

TEST_P(BackupSourceTest, DamageIsRefusedBeforeAnythingChanges_fault) {
  const std::string moment = MakeTheirs();
  Service service = OpenOurs(OwnPlace());
  service.Send("PUT", kOurs + "own", {}, "mine");
  // The control.
  ASSERT_EQ(Backup(service, {"verify", "two", "--source", "main"}).exit_code, 0);
  Damage("one");
  const Contents lying = Lying();
  const auto checkpoints = [&] { return service.Json("GET", "/v1/stores/copy/checkpoints").at("items"); };
  const json before = checkpoints();
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"verify", "two"}, {"restore", "one"}, {"restore", "two"}, {"restore", "--to-time", moment}}) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"--source", "main"});
    const Finished refused = Backup(service, all);
    EXPECT_EQ(refused.exit_code, 1) << words.front() << words.back();
    EXPECT_THAT(refused.errors, HasSubstr("corruption")) << words.front() << words.back();
    EXPECT_EQ(BodyOf(service, kOurs + "own"), "mine");
  }
  EXPECT_EQ(checkpoints(), before);
  EXPECT_EQ(Lying(), lying) << "theirs alone say what is verified";
}

TEST_P(BackupSourceTest, WhatCannotBeIsRefusedWithTheReason) {
  MakeTheirs();
  const Contents lying = Lying();
  {
    Service service = OpenOurs(OwnPlace(), 'b');
    service.Send("PUT", kOurs + "own", {}, "mine");
    const Finished refused = Backup(service, {"restore", "one", "--source", "main"});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.errors, HasSubstr("backups.source.key_file"));
    EXPECT_EQ(BodyOf(service, kOurs + "own"), "mine");
  }
  {
    Service service = OpenOurs(OwnPlace());
    EXPECT_THAT(Backup(service, {"list", "--source", "mian"}).errors, HasSubstr("no backups of a store mian"));
    EXPECT_THAT(Backup(service, {"restore", "three", "--source", "main"}).errors,
                HasSubstr("there is no backup three"));
    EXPECT_THAT(Backup(service, {"list", "--source", "../main"}).errors, HasSubstr("invalid_argument"));
    for (const char* action : {"create", "prune"}) {
      EXPECT_EQ(Backup(service, {action, "--source", "main"}).exit_code, 2) << action;
    }
    EXPECT_EQ(Backup(service, {"verify", "one", "--drill", "--source", "main"}).exit_code, 2);
    const std::string backups = "/v1/stores/copy/backups";
    for (const char* query : {"?source=main", "?action=prune&source=main", "/one?action=drill&source=main"}) {
      const auto answer = service.Send("POST", backups + query);
      EXPECT_EQ(answer.status, 400) << query;
      EXPECT_THAT(answer.body, HasSubstr("only read")) << query;
    }
    EXPECT_EQ(service.Send("DELETE", backups + "/one?source=main").status, 400);
    EXPECT_EQ(service.Send("GET", backups + "/one?source=main").status, 200) << "the control";
    EXPECT_EQ(service.Send("GET", backups + "?source=mian").status, 404);
  }
  Service service(ours_, "rocksdb");
  const Finished refused = Backup(service, {"restore", "one", "--source", "main"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.errors, HasSubstr("backups.source.directory"));
  EXPECT_EQ(Lying(), lying);
}

INSTANTIATE_TEST_SUITE_P(Places, BackupSourceTest, testing::Values("folder", "s3"),
                         [](const auto& place) { return place.param; });

}  // namespace
}  // namespace holdfast
