// Checkpoints over HTTP and on the command line, over restarts and the death of the process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "tests/integration/http_framing/raw_client.h"
#include "tests/integration/service/many_keys.h"
#include "tests/integration/service/stand_still.h"

namespace holdfast {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const std::string kStore = "/v1/stores/main";
const std::string kCheckpoints = kStore + "/checkpoints";

class CheckpointTest : public ServiceTest {
 protected:
  std::string Settings(const std::string& more = "") const {
    return "checkpoints: {directory: " + (folder_.path() / "checkpoints").string() + "}\n" + more;
  }
  std::filesystem::path FileOf(const std::string& id) const {
    return folder_.path() / "checkpoints" / "main" / (id + ".checkpoint");
  }
};

TEST_P(CheckpointTest, IsTakenListedValidatedRestoredAndRemoved) {
  Service service = Start(Settings());
  service.Send("PUT", kStore + "/keys/kept", {}, "same");
  service.Send("PUT", kStore + "/keys/changed", {{"Holdfast-Metadata", R"({"n":1})"}}, "before");
  service.Send("PUT", kStore + "/keys/theirs", {{"Holdfast-Namespace", "team-a"}}, "before");
  const auto taken = service.Send("POST", kCheckpoints);
  ASSERT_EQ(taken.status, 201) << taken.body;
  const json info = json::parse(taken.body);
  const std::string id = info.at("id");
  EXPECT_EQ(info.at("entry_count"), 3);
  EXPECT_EQ(info.at("format_version"), 1);
  EXPECT_EQ(info.at("validated"), true);
  EXPECT_EQ(info.at("size_bytes"), std::filesystem::file_size(FileOf(id)));
  EXPECT_THAT(info.at("checksum").get<std::string>(), testing::MatchesRegex("sha256:[0-9a-f]{64}"));
  EXPECT_EQ(service.Json("GET", kCheckpoints).at("items"), json::array({info}));
  EXPECT_EQ(service.Json("GET", kCheckpoints + "/" + id), info);
  EXPECT_EQ(service.Json("POST", kCheckpoints + "/" + id + "?action=validate").at("valid"), true);

  const std::string kept = service.Send("GET", kStore + "/keys/kept").headers.at("ETag");
  service.Send("PUT", kStore + "/keys/changed", {}, "after");
  service.Send("PUT", kStore + "/keys/new", {}, "after");
  service.Send("DELETE", kStore + "/keys/theirs", {{"Holdfast-Namespace", "team-a"}});
  const auto restored = service.Json("POST", kCheckpoints + "/" + id + "?action=restore");
  EXPECT_EQ(restored.at("restored"), 3);
  EXPECT_EQ(restored.at("deleted"), 1);
  const auto changed = service.Send("GET", kStore + "/keys/changed");
  EXPECT_EQ(changed.body, "before");
  EXPECT_EQ(changed.headers.at("Holdfast-Metadata"), R"({"n":1})");
  EXPECT_EQ(service.Send("GET", kStore + "/keys/new").status, 404);
  EXPECT_EQ(service.Send("GET", kStore + "/keys/theirs", {{"Holdfast-Namespace", "team-a"}}).body, "before");
  EXPECT_EQ(service.Send("GET", kStore + "/keys/kept").headers.at("ETag"), kept);

  const std::string undo = restored.at("undo");
  EXPECT_EQ(service.Json("GET", kCheckpoints + "/" + undo).at("reason"), "undo");
  service.Json("POST", kCheckpoints + "/" + undo + "?action=restore");
  EXPECT_EQ(service.Send("GET", kStore + "/keys/new").body, "after");
  EXPECT_EQ(service.Send("DELETE", kCheckpoints + "/" + id).status, 204);
  EXPECT_EQ(service.Send("GET", kCheckpoints + "/" + id).status, 404);
  EXPECT_EQ(service.Send("DELETE", kCheckpoints + "/" + id).status, 404);
}

TEST_P(CheckpointTest, DamageIs422AndChangesNothing) {
  Service service = Start(Settings());
  PutMany(service, 200, "before");
  const auto taken = service.Send("POST", kCheckpoints, {{"Content-Type", "application/json"}}, R"({"id":"one"})");
  ASSERT_EQ(taken.status, 201) << taken.body;
  EXPECT_EQ(service.Send("POST", kCheckpoints, {{"Content-Type", "application/json"}}, R"({"id":"one"})").status, 412);
  PutMany(service, 200, "after");
  {
    std::fstream file(FileOf("one"), std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(FileOf("one")) / 2);
    file.seekg(middle);
    const int byte = file.get();
    file.seekp(middle);
    file.put(static_cast<char>(byte ^ 1));
  }
  for (const char* action : {"validate", "restore"}) {
    const auto refused = service.Send("POST", kCheckpoints + "/one?action=" + action);
    EXPECT_EQ(refused.status, 422) << refused.body;
    EXPECT_EQ(json::parse(refused.body).at("code"), "corruption");
  }
  EXPECT_EQ(CountOf(service, "after"), 200U);
  EXPECT_EQ(service.Json("GET", kCheckpoints).at("items").size(), 1U);
}

TEST_P(CheckpointTest, WrongRequestsAreRefused) {
  Service service = Start(Settings());
  EXPECT_EQ(service.Send("POST", kCheckpoints, {{"Content-Type", "application/json"}}, R"({"id":"../x"})").status, 400);
  EXPECT_EQ(service.Send("POST", kCheckpoints, {{"Content-Type", "application/json"}}, R"({"name":"x"})").status, 400);
  EXPECT_EQ(service.Send("POST", kCheckpoints + "/one").status, 400);
  EXPECT_EQ(service.Send("POST", kCheckpoints + "/one?action=burn").status, 400);
  for (const char* id : {"..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "CON", "a%0Ab", "one"}) {
    EXPECT_EQ(service.Send("GET", kCheckpoints + "/" + id).status, 404) << id;
    EXPECT_EQ(service.Send("DELETE", kCheckpoints + "/" + id).status, 404) << id;
    EXPECT_EQ(service.Send("POST", kCheckpoints + "/" + id + "?action=restore").status, 404) << id;
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "checkpoints"));
}

TEST_P(CheckpointTest, AFolderThatCannotBeMadeIsAnErrorThatNamesIt) {
  Service service(folder_, GetParam(), "checkpoints: {directory: /proc/none}\n");
  const auto refused = service.Send("POST", kCheckpoints);
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_THAT(refused.body, HasSubstr("/proc/none"));
}

TEST_P(CheckpointTest, OnlyAnAdminOfEveryNamespaceMayDoIt) {
  const std::string tokens = folder_.Write("tokens.yaml",
                                           "tokens: [{name: root, token: root-token, namespace: default},\n"
                                           "         {name: tenant, token: tenant-token, namespace: default}]\n"
                                           "rules: [{principals: [root], namespaces: ['*'], verbs: [admin, write]},\n"
                                           "        {principals: [tenant], verbs: [admin, read, write]}]\n");
  Service service = Start(Settings("auth: {mode: tokens, tokens_file: " + tokens + "}\n"));
  const http::Headers root{{"Authorization", "Bearer root-token"}};
  const http::Headers tenant{{"Authorization", "Bearer tenant-token"}};
  EXPECT_EQ(service.Send("POST", kCheckpoints, root).status, 201);
  EXPECT_EQ(service.Send("GET", kCheckpoints, root).status, 200);
  EXPECT_EQ(service.Send("POST", kCheckpoints, tenant).status, 403);
  EXPECT_EQ(service.Send("GET", kCheckpoints, tenant).status, 403);
  EXPECT_EQ(service.Send("GET", kStore + "/snapshot", root).status, 200);
  EXPECT_EQ(service.Send("GET", kStore + "/snapshot", tenant).status, 403);
  EXPECT_EQ(service.Send("GET", kStore + "/snapshot").status, 401);
  EXPECT_EQ(service.Send("PUT", kStore + "/snapshot", tenant, "some").status, 403);
  EXPECT_EQ(service.Send("PUT", kStore + "/snapshot", {}, "some").status, 401);
  EXPECT_EQ(service.Send("GET", kCheckpoints + "/one", tenant).status, 403);
  EXPECT_EQ(service.Send("DELETE", kCheckpoints + "/one", tenant).status, 403);
  EXPECT_EQ(service.Send("POST", kCheckpoints + "/one?action=restore", tenant).status, 403);
  EXPECT_EQ(service.Send("POST", kCheckpoints).status, 401);
}

// The next process serves either what was before the restore or all of it, and at the end of its start nothing is left
// half-done.
class KilledRestoreTest : public CheckpointTest {
 protected:
  static constexpr int kKeys = 20'000;

  bool IsMarked() const { return std::filesystem::exists(FileOf("one").parent_path() / "restoring"); }
  static int Restore(const Service& service) { return PostTo(service, kCheckpoints + "/one?action=restore"); }
  // What the next process makes of it.
  void ExpectWhole(Service& service, bool was_marked) {
    const std::size_t before = CountOf(service, "before");
    if (was_marked) {
      EXPECT_EQ(before, static_cast<std::size_t>(kKeys));
    } else if (GetParam() == "rocksdb") {
      EXPECT_TRUE(before == kKeys || CountOf(service, "after") == kKeys) << before;
    }
    EXPECT_FALSE(IsMarked());
    for (const auto& entry : std::filesystem::directory_iterator(FileOf("one").parent_path())) {
      EXPECT_FALSE(entry.path().string().ends_with(".partial")) << entry.path();
    }
  }
};

TEST_P(KilledRestoreTest, IsFinishedOrNotBegun_fault) {
  std::unique_ptr<Service> service = std::make_unique<Service>(Start(Settings()));
  PutMany(*service, kKeys, "before");
  ASSERT_EQ(PostTo(*service, kCheckpoints, R"({"id":"one"})"), 201);
  const auto kill = [&] {
    service->process().Signal(SIGKILL);
    service->process().Wait();
    const bool marked = IsMarked();
    service = std::make_unique<Service>(Start(Settings()));
    ExpectWhole(*service, marked);
  };
  PutMany(*service, kKeys, "after");
  StandingStill still = PauseIn(
      *service, [this](int) { return IsMarked(); }, [&](int) { return Restore(*service); });
  service->process().Signal(SIGKILL);
  EXPECT_EQ(still.answer.get(), 0);
  kill();
  // And at whatever moment this comes to.
  for (const int milliseconds : {1, 40, 150}) {
    PutMany(*service, kKeys, "after");
    std::future<int> answer = std::async(std::launch::async, [&] { return Restore(*service); });
    std::this_thread::sleep_for(std::chrono::milliseconds{milliseconds});
    service->process().Signal(SIGKILL);
    answer.wait();
    kill();
  }
}
HOLDFAST_ON_BOTH_BACKENDS(KilledRestoreTest);

TEST_P(CheckpointTest, ASnapshotIsACheckpointThatTheClientKeeps) {
  Service service = Start(Settings());
  PutMany(service, 5'000, "before");
  const auto snapshot = service.Send("GET", kStore + "/snapshot");
  ASSERT_EQ(snapshot.status, 200) << snapshot.body;
  EXPECT_EQ(snapshot.headers.at("Content-Type"), "application/octet-stream");
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "checkpoints")) << "it is kept nowhere";
  PutMany(service, 5'000, "after");
  // Put beside the others it is one of them.
  std::filesystem::create_directories(FileOf("kept").parent_path());
  std::ofstream(FileOf("kept"), std::ios::binary) << snapshot.body;
  const json info = service.Json("GET", kCheckpoints + "/kept");
  EXPECT_EQ(info.at("entry_count"), 5'000);
  EXPECT_EQ(info.at("size_bytes"), snapshot.body.size());
  EXPECT_EQ(service.Json("POST", kCheckpoints + "/kept?action=restore").at("restored"), 5'000);
  EXPECT_EQ(CountOf(service, "before"), 5'000U);
  // One that was cut off is not.
  std::ofstream(FileOf("cut"), std::ios::binary) << snapshot.body.substr(0, snapshot.body.size() - 1);
  EXPECT_EQ(service.Send("POST", kCheckpoints + "/cut?action=restore").status, 422);
}

TEST_P(CheckpointTest, ASnapshotThatIsSentIsRestored) {
  Service service = Start(Settings());
  PutMany(service, 5'000, "before");
  const std::string snapshot = service.Send("GET", kStore + "/snapshot").body;
  PutMany(service, 5'001, "after");
  const json report = json::parse(service.Send("PUT", kStore + "/snapshot", {}, snapshot).body);
  EXPECT_EQ(report.at("restored"), 5'000) << report;
  EXPECT_EQ(report.at("deleted"), 1);
  EXPECT_EQ(CountOf(service, "before"), 5'000U);
  EXPECT_EQ(CountOf(service, "after"), 0U);
  // What was there is kept, and nothing else.
  const json items = service.Json("GET", kCheckpoints).at("items");
  ASSERT_EQ(items.size(), 1U) << items;
  EXPECT_EQ(items[0].at("id"), report.at("undo"));
  EXPECT_EQ(items[0].at("entry_count"), 5'001);
}

TEST_P(CheckpointTest, ASnapshotThatIsSentDamagedChangesNothing) {
  Service service = Start(Settings("limits: {snapshot: 1Mi}\n"));
  PutMany(service, 100, "before");
  const std::string snapshot = service.Send("GET", kStore + "/snapshot").body;
  PutMany(service, 100, "after");
  const auto refuses = [&](const std::string& body, int status, const std::string& why) {
    const auto refused = service.Send("PUT", kStore + "/snapshot", {}, body);
    EXPECT_EQ(refused.status, status) << refused.body;
    EXPECT_THAT(refused.body, HasSubstr(why));
  };
  refuses("", 400, "the body is empty");
  refuses("no checkpoint", 422, "corruption");
  refuses(snapshot.substr(0, snapshot.size() - 1), 422, "corruption");
  std::string flipped = snapshot;
  flipped[flipped.size() / 2] ^= 1;
  refuses(flipped, 422, "corruption");
  refuses(std::string((std::size_t{1} << 20) + 1, 'x'), 413, "1048576");
  // One that does not say how long it is, is refused when it has become too long.
  api::testing::RawClient client(service.port());
  client.Send("PUT " + kStore + "/snapshot HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "80000\r\n" + std::string(0x80000, 'x') + "\r\n";
  for (int i = 0; i < 3; ++i) client.Send(chunk);
  const auto refused = client.ReadResponse();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 413) << refused->body;
  EXPECT_THAT(refused->body, HasSubstr("limits.snapshot"));
  EXPECT_EQ(CountOf(service, "after"), 100U);
  EXPECT_EQ(service.Json("GET", kCheckpoints).at("items"), json::array()) << "something is left of them";
}

TEST_P(CheckpointTest, TheLastOneIsTakenAtTheEndAndIsThereForTheNextProcess) {
  const std::string settings =
      Settings("stores: {main: {backend: local, checkpoint_at_shutdown: true, checkpoint_keep: 2}}\n");
  {
    Service service = Start(settings);
    PutMany(service, 100, "v");
    service.process().Signal(SIGTERM);
    EXPECT_EQ(service.process().Wait(), 0) << service.process().Errors();
  }
  Service service = Start(settings);
  const json items = service.Json("GET", kCheckpoints).at("items");
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0].at("reason"), "shutdown");
  EXPECT_EQ(items[0].at("entry_count"), 100);
  service.Send("DELETE", kStore + "/keys?prefix=k");
  service.Json("POST", kCheckpoints + "/" + items[0].at("id").get<std::string>() + "?action=restore");
  EXPECT_EQ(CountOf(service, "v"), 100U);
}

TEST_P(CheckpointTest, OnTheCommandLine) {
  Service service = Start(Settings());
  service.Send("PUT", kStore + "/keys/k", {}, "before");
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "checkpoint");
    words.insert(words.end(), {"--url", service.url()});
    return RunHoldfast({words, {}, ""});
  };
  const Finished created = run({"create", "one"});
  EXPECT_EQ(created.exit_code, 0) << created.errors;
  EXPECT_EQ(json::parse(created.output).at("id"), "one");
  EXPECT_EQ(json::parse(run({"list"}).output).at("items").size(), 1U);
  EXPECT_EQ(run({"validate", "one"}).exit_code, 0);
  service.Send("PUT", kStore + "/keys/k", {}, "after");
  EXPECT_EQ(run({"restore", "one"}).exit_code, 0);
  EXPECT_EQ(service.Send("GET", kStore + "/keys/k").body, "before");
  EXPECT_EQ(run({"show", "none"}).exit_code, 1);
  EXPECT_EQ(run({"delete", "one"}).exit_code, 0);
  EXPECT_EQ(run({"burn", "one"}).exit_code, 2);
  EXPECT_EQ(run({"restore"}).exit_code, 2);
}

HOLDFAST_ON_BOTH_BACKENDS(CheckpointTest);

}  // namespace
}  // namespace holdfast
