// A store brought back to a time with the real program: what had been acknowledged by then is there, and nothing that
// was asked for later, also where the process was killed between writing and shipping.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <random>
#include <thread>

#include "base/time/duration.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const std::string kKeys = "/v1/stores/main/keys/";
const std::string kBackups = "/v1/stores/main/backups";

class PointInTimeTest : public ServiceTest {
 protected:
  std::string Settings(const std::string& interval = "24h") const {
    return "stores: {main: {backend: local, change_archive: true}}\nbackups: {directory: " +
           (folder_.path() / "backups").string() +
           ", change_archive_segment_bytes: 64Ki, change_archive_interval: " + interval + "}\n";
  }
  Service Open(const std::string& interval = "24h") { return Start(Settings(interval)); }

  static Finished Holdfast(const Service& service, std::vector<std::string> words) {
    words.insert(words.end(), {"--url", service.url()});
    return RunHoldfast({words, {}, ""});
  }
  static void Backup(const Service& service, const std::string& id) {
    const Finished made = Holdfast(service, {"backup", "create", id});
    ASSERT_EQ(made.exit_code, 0) << made.errors;
  }
  // The instant lies behind every answer before and before every request behind it.
  static Timestamp Moment() {
    const Timestamp moment = SystemClock().Now();
    while (SystemClock().Now() <= moment) std::this_thread::yield();
    return moment;
  }
  static std::string BodyOf(Service& service, const std::string& key) {
    const auto got = service.Send("GET", kKeys + key);
    return got.status == 200 ? got.body : std::to_string(got.status);
  }
  static void Kill(Service& service) {
    service.process().Signal(SIGKILL);
    service.process().Wait();
  }
  std::vector<std::filesystem::path> Segments() const {
    std::vector<std::filesystem::path> files;
    const auto folder = folder_.path() / "backups" / "main.changes" / "log";
    if (!std::filesystem::exists(folder)) return files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      constexpr std::size_t kDigits = 12;  // others are being written
      if (entry.path().filename().string().size() == kDigits) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
};

TEST_P(PointInTimeTest, WhatStoodAtTheTimeIsThereAndNothingElse) {
  Service service = Open();
  service.Send("PUT", kKeys + "kept", {}, "first");
  Backup(service, "one");
  service.Send("PUT", kKeys + "changed", {{"Holdfast-Metadata", R"({"n":1})"}}, "before");
  service.Send("PUT", kKeys + "deleted", {}, "before");
  const std::string moment = FormatTimestamp(Moment());
  service.Send("PUT", kKeys + "changed", {}, "after");
  service.Send("PUT", kKeys + "new", {}, "after");
  service.Send("DELETE", kKeys + "deleted");
  const std::string later = FormatTimestamp(Moment());
  service.Send("DELETE", kKeys + "kept");

  const Finished done = Holdfast(service, {"restore", "--to-time", moment});
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  const json run = json::parse(done.output);
  EXPECT_EQ(run.at("to_time"), moment);
  EXPECT_EQ(run.at("backup"), "one");
  EXPECT_EQ(BodyOf(service, "kept"), "first");
  const auto changed = service.Send("GET", kKeys + "changed");
  EXPECT_EQ(changed.body, "before");
  EXPECT_EQ(changed.headers.at("Holdfast-Metadata"), R"({"n":1})");
  EXPECT_EQ(BodyOf(service, "deleted"), "before");
  EXPECT_EQ(BodyOf(service, "new"), "404");
  // Forward again: that the restore undid is history too.
  ASSERT_EQ(Holdfast(service, {"backup", "restore", "--to-time", later}).exit_code, 0);
  EXPECT_EQ(BodyOf(service, "changed"), "after");
  EXPECT_EQ(BodyOf(service, "deleted"), "404");
  const json list = service.Json("GET", kBackups);
  EXPECT_LE(list.at("restorable").at("earliest").get<std::string>(), moment);
  EXPECT_GE(list.at("restorable").at("latest").get<std::string>(), later);
  // The control: without a time it is what the backup holds.
  ASSERT_EQ(Holdfast(service, {"backup", "restore", "one"}).exit_code, 0);
  EXPECT_EQ(BodyOf(service, "changed"), "404");
}

TEST_P(PointInTimeTest, WhatCannotBeIsRefusedWithTheReason) {
  Service service = Open();
  const std::string early = FormatTimestamp(Moment());
  EXPECT_THAT(Holdfast(service, {"restore", "--to-time", early}).errors, HasSubstr("change_archive"));
  Backup(service, "one");
  EXPECT_THAT(Holdfast(service, {"restore", "--to-time", early}).errors, HasSubstr("name a later time"));
  EXPECT_THAT(Holdfast(service, {"restore", "--to-time", "2999-01-01T00:00:00Z"}).errors, HasSubstr("future"));
  EXPECT_EQ(Holdfast(service, {"restore", "--to-time", "yesterday"}).exit_code, 2);
  EXPECT_EQ(Holdfast(service, {"restore"}).exit_code, 2);
  EXPECT_EQ(Holdfast(service, {"backup", "list", "--to-time", early}).exit_code, 2);
  EXPECT_EQ(service.Send("POST", kBackups + "?action=restore").status, 400);
  EXPECT_EQ(service.Send("POST", kBackups + "?to_time=" + early).status, 400);
  EXPECT_EQ(service.Send("POST", kBackups + "/one?action=verify&to_time=" + early).status, 400);
}

TEST_P(PointInTimeTest, DamageInTheLogIsRefusedBeforeAnythingChanges_fault) {
  Service service = Open("1s");
  Backup(service, "one");
  service.Send("PUT", kKeys + "k", {}, "before");
  const std::string moment = FormatTimestamp(Moment());
  service.Send("PUT", kKeys + "k", {}, "after");
  // Behind what the log begins with.
  ASSERT_TRUE(Eventually([&] { return Segments().size() > 1; }));
  const std::filesystem::path file = Segments().at(1);
  const auto flip = [&file] {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(file) / 2);
    stream.seekg(middle);
    const int byte = stream.get();
    stream.seekp(middle);
    stream.put(static_cast<char>(byte ^ 1));
  };
  const std::size_t checkpoints = service.Json("GET", "/v1/stores/main/checkpoints").at("items").size();
  flip();
  const Finished refused = Holdfast(service, {"restore", "--to-time", moment});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.errors, HasSubstr("corruption"));
  EXPECT_EQ(BodyOf(service, "k"), "after");
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/checkpoints").at("items").size(), checkpoints) << "no undo was taken";
  flip();
  const Finished done = Holdfast(service, {"restore", "--to-time", moment});
  EXPECT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_EQ(BodyOf(service, "k"), "before");
}

HOLDFAST_ON_BOTH_BACKENDS(PointInTimeTest);

class RocksDbPointInTimeTest : public PointInTimeTest {
 protected:
  struct Write {
    std::string key;
    Timestamp sent;
    Timestamp answered;  // the epoch: nobody knows what became of it
  };
  // Until the process is killed, which it is after some answers.
  static std::vector<Write> WriteAndKill(Service& service, int round, int answers) {
    std::vector<Write> all;
    http::ClientOptions options;
    options.base_url = service.url();
    http::HttpClient client(options);
    std::atomic<int> answered{0};
    std::thread killer([&] {
      while (answered.load() < answers) std::this_thread::yield();
      service.process().Signal(SIGKILL);
    });
    for (bool alive = true; alive;) {
      Write write{"r" + std::to_string(round) + "-" + std::to_string(all.size()), SystemClock().Now(), {}};
      const auto answer = client.Send({"PUT", kKeys + write.key, {}, "v"}, Deadline::After(std::chrono::seconds{30}));
      alive = answer.ok() && answer->status < 300;
      if (alive) write.answered = SystemClock().Now();
      all.push_back(write);
      ++answered;
    }
    killer.join();
    service.process().Wait();
    return all;
  }
  // By what was known at `moment`.
  static std::size_t Check(Service& service, const std::vector<Write>& writes, Timestamp moment) {
    std::size_t there = 0;
    for (const Write& write : writes) {
      const bool found = BodyOf(service, write.key) == "v";
      there += found ? 1 : 0;
      const bool acknowledged = write.answered != Timestamp{} && write.answered <= moment;
      EXPECT_TRUE(found || !acknowledged) << write.key << " was acknowledged and is missing";
      EXPECT_TRUE(!found || write.sent <= moment) << write.key << " was not asked for yet";
    }
    return there;
  }
};

// Nothing is shipped by itself before the kill: what was acknowledged comes from the database's own log.
TEST_P(RocksDbPointInTimeTest, AKillBetweenWritingAndShippingLosesNothing_fault) {
  std::vector<Write> writes;
  {
    Service service = Open();
    Backup(service, "one");
    writes = WriteAndKill(service, 0, 300);
  }
  ASSERT_GE(writes.size(), 300U);
  Service service = Open();
  for (const std::size_t at : {writes.size() * 2 / 3, writes.size() / 3}) {
    const Timestamp moment = writes[at].answered;
    const Finished done = Holdfast(service, {"restore", "--to-time", FormatTimestamp(moment)});
    ASSERT_EQ(done.exit_code, 0) << done.errors;
    const std::size_t there = Check(service, writes, moment);
    EXPECT_GT(there, 0U);
    EXPECT_LT(there, writes.size()) << "the control: later ones are gone";
  }
}

TEST_P(RocksDbPointInTimeTest, KillsWhileItShipsLeaveAWholeLogThatOutlivesTheDisk_fault) {
  std::vector<Write> writes;
  constexpr int kRounds = 5;
  for (int round = 0; round < kRounds; ++round) {
    Service service = Open("1s");
    if (round == 0) Backup(service, "one");
    // Shipping goes on at any moment of it.
    const auto some = WriteAndKill(service, round, 150 * (round + 1));
    writes.insert(writes.end(), some.begin(), some.end());
  }
  {
    Service service = Open("1s");
    const Timestamp end = Moment();
    ASSERT_TRUE(Eventually([&] {
      service.Send("PUT", kKeys + "later", {}, "v");
      const json list = service.Json("GET", kBackups);
      return list.contains("restorable") &&
             list.at("restorable").at("latest").get<std::string>() > FormatTimestamp(end);
    }));
    Kill(service);
  }
  std::filesystem::remove_all(folder_.path() / "data");
  Service service = Open("1s");
  EXPECT_EQ(BodyOf(service, writes.front().key), "404");
  for (const std::size_t at : {writes.size() - 3, writes.size() / 2}) {
    Timestamp moment = writes[at].answered;
    if (moment == Timestamp{}) moment = writes[at - 1].answered;
    const Finished done = Holdfast(service, {"restore", "--to-time", FormatTimestamp(moment)});
    ASSERT_EQ(done.exit_code, 0) << done.errors;
    const std::size_t there = Check(service, writes, moment);
    EXPECT_GT(there, 0U);
    EXPECT_LT(there, writes.size()) << "the control: later ones are gone";
  }
}

// The database lost its archived log before anything of it was shipped.
TEST_P(RocksDbPointInTimeTest, AGapIsRefusedUntilThereIsABackupBehindIt_fault) {
  {
    Service service = Open();
    Backup(service, "one");
    service.Send("PUT", kKeys + "k", {}, "in the gap");
    Kill(service);
  }
  {
    // Without the setting the logs go, and what is written has no time.
    Service service = Start("backups: {directory: " + (folder_.path() / "backups").string() + "}\n");
    service.Send("PUT", kKeys + "k", {}, "in the gap too");
    Kill(service);
  }
  Service service = Open("1s");
  const std::string behind = FormatTimestamp(Moment());
  const Finished refused = Holdfast(service, {"restore", "--to-time", behind});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.errors, HasSubstr("are missing in its change log"));
  EXPECT_FALSE(service.Json("GET", kBackups).contains("restorable"));
  EXPECT_EQ(BodyOf(service, "k"), "in the gap too");
  Backup(service, "two");
  service.Send("PUT", kKeys + "k", {}, "behind it");
  const std::string moment = FormatTimestamp(Moment());
  service.Send("PUT", kKeys + "k", {}, "later");
  const Finished done = Holdfast(service, {"restore", "--to-time", moment});
  EXPECT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_EQ(BodyOf(service, "k"), "behind it");
}

INSTANTIATE_TEST_SUITE_P(Backends, RocksDbPointInTimeTest, testing::Values("rocksdb"), BackendName);

}  // namespace
}  // namespace holdfast
