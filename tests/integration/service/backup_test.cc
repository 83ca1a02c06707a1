// Backups over HTTP and on the command line, over restarts and the death of the process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <thread>

#include "tests/integration/service/service_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;

const std::string kStore = "/v1/stores/main";
const std::string kBackups = kStore + "/backups";
const std::string kRuns = kStore + "/backup-runs/";
const http::Headers kJson{{"Content-Type", "application/json"}};

class BackupTest : public ServiceTest {
 protected:
  std::string Settings(const std::string& more = "") const {
    return "backups: {directory: " + (folder_.path() / "backups").string() + more + "}\n";
  }
  std::filesystem::path BackupFolder(const std::string& id) const { return folder_.path() / "backups" / "main" / id; }

  // What came of a run that was accepted.
  static json Await(Service& service, const http::ClientResponse& accepted) {
    EXPECT_EQ(accepted.status, 202) << accepted.body;
    if (accepted.status != 202) return {};
    const std::string run = json::parse(accepted.body).at("run");
    const Deadline patience = Deadline::After(std::chrono::minutes{1});
    while (!patience.Expired()) {
      json now = service.Json("GET", kRuns + run);
      if (now.at("state") == "succeeded" || now.at("state") == "failed") return now;
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    ADD_FAILURE() << "the run does not end";
    return {};
  }
  static json Create(Service& service, const std::string& id) {
    return Await(service, service.Send("POST", kBackups, kJson, json{{"id", id}}.dump()));
  }
  // One byte of its first object.
  void Damage(const std::string& id) const {
    for (const auto& entry : std::filesystem::directory_iterator(BackupFolder(id))) {
      if (!entry.path().string().ends_with("-00000001")) continue;
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(entry.path()) / 2);
      file.seekg(middle);
      const int byte = file.get();
      file.seekp(middle);
      file.put(static_cast<char>(byte ^ 1));
    }
  }
};

TEST_P(BackupTest, IsMadeListedVerifiedRestoredAndRemoved) {
  Service service = Start(Settings());
  service.Send("PUT", kStore + "/keys/changed", {{"Holdfast-Metadata", R"({"n":1})"}}, "before");
  service.Send("PUT", kStore + "/keys/theirs", {{"Holdfast-Namespace", "team-a"}}, "before");
  const json made = Await(service, service.Send("POST", kBackups));
  ASSERT_EQ(made.at("state"), "succeeded") << made;
  const json& item = made.at("item");
  const std::string id = item.at("id");
  EXPECT_EQ(item.at("entry_count"), 2);
  EXPECT_EQ(item.at("verified"), true);
  EXPECT_EQ(item.at("encrypted"), false);
  EXPECT_THAT(item.at("checksum").get<std::string>(), MatchesRegex("sha256:[0-9a-f]{64}"));
  EXPECT_EQ(service.Json("GET", kBackups).at("items"), json::array({item}));
  EXPECT_EQ(service.Json("GET", kBackups + "/" + id), item);
  EXPECT_EQ(Await(service, service.Send("POST", kBackups + "/" + id + "?action=verify")).at("state"), "succeeded");

  service.Send("PUT", kStore + "/keys/changed", {}, "after");
  service.Send("PUT", kStore + "/keys/new", {}, "after");
  const json restored = Await(service, service.Send("POST", kBackups + "/" + id + "?action=restore"));
  ASSERT_EQ(restored.at("state"), "succeeded") << restored;
  EXPECT_EQ(restored.at("restored"), 2);
  EXPECT_EQ(restored.at("deleted"), 1);
  const auto changed = service.Send("GET", kStore + "/keys/changed");
  EXPECT_EQ(changed.body, "before");
  EXPECT_EQ(changed.headers.at("Holdfast-Metadata"), R"({"n":1})");
  EXPECT_EQ(service.Send("GET", kStore + "/keys/new").status, 404);
  service.Json("POST", kStore + "/checkpoints/" + restored.at("undo").get<std::string>() + "?action=restore");
  EXPECT_EQ(service.Send("GET", kStore + "/keys/new").body, "after");

  EXPECT_EQ(service.Send("DELETE", kBackups + "/" + id).status, 204);
  EXPECT_EQ(service.Send("GET", kBackups + "/" + id).status, 404);
  EXPECT_THAT(Await(service, service.Send("POST", kBackups + "?action=prune")).at("removed"), IsEmpty());
}

TEST_P(BackupTest, IsRestoredIntoAScratchStoreForADrill) {
  Service service = Start(Settings());
  service.Send("PUT", kStore + "/keys/k", {{"Holdfast-Metadata", R"({"n":1})"}}, "v");
  service.Send("PUT", kStore + "/keys/short?ttl=1h", {}, "v");
  ASSERT_EQ(Create(service, "one").at("state"), "succeeded");
  EXPECT_FALSE(service.Json("GET", kBackups + "/one").contains("drill"));
  const json drilled = Await(service, service.Send("POST", kBackups + "/one?action=drill"));
  ASSERT_EQ(drilled.at("state"), "succeeded") << drilled;
  EXPECT_EQ(drilled.at("item").at("drill").at("succeeded"), true);
  EXPECT_EQ(service.Json("GET", kBackups).at("items").at(0).at("drill"), drilled.at("item").at("drill"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "data" / "drills" / "main")) << "the scratch store was left";
  Damage("one");
  const Finished failed = RunHoldfast({{"backup", "verify", "one", "--drill", "--url", service.url()}, {}, ""});
  EXPECT_EQ(failed.exit_code, 1) << failed.errors;
  EXPECT_THAT(failed.errors, HasSubstr("drill failed: corruption"));
  const json item = service.Json("GET", kBackups + "/one");
  EXPECT_EQ(item.at("drill").at("succeeded"), false);
  EXPECT_EQ(item.at("drill").at("code"), "corruption");
  EXPECT_EQ(item.at("verified"), false);
  EXPECT_EQ(RunHoldfast({{"backup", "list", "--drill", "--url", service.url()}, {}, ""}).exit_code, 2);
}

// A hundredth of the keys is changed, and the rest is not copied again.
TEST_P(BackupTest, AnIncrementHasTheChangesAndIsRestoredWithWhatItBuildsOn) {
  constexpr int kKeys = 10'000;
  Service service = Start(Settings());
  const auto put = [&](int from, int to, const std::string& value) {
    for (int batch = from; batch < to; batch += 1'000) {
      json operations = json::array();
      for (int i = batch; i < std::min(batch + 1'000, to); ++i) {
        std::string own = value;
        for (int part = 0; part < 8; ++part) own += std::to_string(std::hash<int>{}(i)*2654435761U * (part + 1U));
        operations.push_back({{"op", "put"}, {"key", "key-" + std::to_string(100'000 + i)}, {"value", own}});
      }
      ASSERT_EQ(service.Send("POST", kStore + "/batch", kJson, json{{"operations", operations}}.dump()).status, 200);
    }
  };
  put(0, kKeys, "before-");
  ASSERT_EQ(Create(service, "full").at("state"), "succeeded");
  put(4'000, 4'000 + kKeys / 100, "changed-");
  service.Send("DELETE", kStore + "/keys/key-109000");
  const json made = Await(service, service.Send("POST", kBackups + "?kind=incremental", kJson, R"({"id":"one"})"));
  ASSERT_EQ(made.at("state"), "succeeded") << made;
  EXPECT_EQ(made.at("item").at("kind"), "incremental");
  EXPECT_EQ(made.at("item").at("parent"), "full");
  EXPECT_EQ(made.at("item").at("entry_count"), kKeys - 1);
  EXPECT_FALSE(made.contains("note"));
  const json full = service.Json("GET", kBackups + "/full");
  EXPECT_EQ(full.at("kind"), "full");
  const auto bytes = [](const json& item) { return item.at("size_bytes").get<double>(); };
  EXPECT_LT(bytes(made.at("item")), bytes(full) / 8) << "of " << bytes(full);
  RecordProperty("full_bytes", std::to_string(bytes(full)));
  RecordProperty("increment_bytes", std::to_string(bytes(made.at("item"))));

  put(0, kKeys, "lost-");
  service.Send("PUT", kStore + "/keys/new", {}, "lost");
  const json restored = Await(service, service.Send("POST", kBackups + "/one?action=restore"));
  ASSERT_EQ(restored.at("state"), "succeeded") << restored;
  EXPECT_EQ(restored.at("restored"), kKeys - 1);
  EXPECT_EQ(service.Send("GET", kStore + "/keys/key-109000").status, 404);
  EXPECT_EQ(service.Send("GET", kStore + "/keys/new").status, 404);
  EXPECT_THAT(service.Send("GET", kStore + "/keys/key-104050").body, testing::StartsWith("changed-"));
  EXPECT_THAT(service.Send("GET", kStore + "/keys/key-100000").body, testing::StartsWith("before-"));
  EXPECT_THAT(service.Send("GET", kStore + "/keys/key-109999").body, testing::StartsWith("before-"));
  ASSERT_EQ(Await(service, service.Send("POST", kBackups + "/one?action=drill")).at("state"), "succeeded");

  EXPECT_EQ(service.Send("DELETE", kBackups + "/full").status, 409);
  Damage("full");
  EXPECT_EQ(Await(service, service.Send("POST", kBackups + "/one?action=restore")).at("problem").at("code"),
            "corruption");
  EXPECT_EQ(Await(service, service.Send("POST", kBackups + "/one?action=verify")).at("state"), "failed");
  // Nothing is built on what was found damaged.
  const auto next = RunHoldfast({{"backup", "create", "--incremental", "--url", service.url()}, {}, ""});
  EXPECT_EQ(next.exit_code, 0) << next.errors;
  EXPECT_THAT(next.output, HasSubstr("no verified backup"));
  EXPECT_EQ(RunHoldfast({{"backup", "list", "--incremental", "--url", service.url()}, {}, ""}).exit_code, 2);
  EXPECT_EQ(service.Send("POST", kBackups + "?kind=other").status, 400);
  EXPECT_EQ(service.Send("POST", kBackups + "?action=prune&kind=full").status, 400);
}

// The last tick of before the start is made up, so nobody has to wait for one.
TEST_P(BackupTest, IsMadeByItselfAndOnceAlsoWhenTheServiceStartsAgain) {
  const std::string settings = Settings() +
                               "stores: {main: {backend: local, backup_schedule: '0 3 1 1 *', backup_time_zone: "
                               "Europe/Berlin, backup_drill_every: 1}}\ndefault_store: main\n";
  json items;
  for (int start = 0; start < 2; ++start) {
    Service service = Start(settings);
    const Deadline patience = Deadline::After(std::chrono::minutes{1});
    const auto drilled = [&] {
      items = service.Json("GET", kBackups).at("items");
      return !items.empty() && items.at(0).contains("drill");
    };
    while (!drilled()) {
      ASSERT_FALSE(patience.Expired()) << items;
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    EXPECT_THAT(items.at(0).at("id").get<std::string>(), MatchesRegex("tick-[0-9]{4}0101t0200z"));
    EXPECT_EQ(items.at(0).at("drill").at("succeeded"), true);
    const json schedule = service.Json("GET", kBackups).at("schedule");
    EXPECT_EQ(schedule.at("time_zone"), "Europe/Berlin");
    EXPECT_EQ(schedule.at("next").size(), 3U);
    EXPECT_THAT(schedule.at("next").at(0).get<std::string>(), HasSubstr("-01-01T02:00:00"));
  }
  EXPECT_EQ(items.size(), 1U);
}

TEST_P(BackupTest, DamageIsCorruptionAndChangesNothing) {
  Service service = Start(Settings());
  service.Send("PUT", kStore + "/keys/k", {}, "before");
  ASSERT_EQ(Create(service, "one").at("state"), "succeeded");
  EXPECT_EQ(Create(service, "one").at("problem").at("code"), "already_exists") << "there is one of that id";
  service.Send("PUT", kStore + "/keys/k", {}, "after");
  Damage("one");
  for (const char* action : {"verify", "restore"}) {
    const json failed = Await(service, service.Send("POST", kBackups + "/one?action=" + action));
    EXPECT_EQ(failed.at("state"), "failed");
    EXPECT_EQ(failed.at("problem").at("code"), "corruption") << failed;
  }
  EXPECT_EQ(service.Send("GET", kStore + "/keys/k").body, "after");
  EXPECT_THAT(service.Json("GET", kStore + "/checkpoints").at("items"), IsEmpty()) << "an undo was taken";
}

TEST_P(BackupTest, WrongRequestsAreRefused) {
  Service service = Start(Settings());
  EXPECT_EQ(service.Send("POST", kBackups, kJson, R"({"id":"../x"})").status, 400);
  EXPECT_EQ(service.Send("POST", kBackups, kJson, R"({"name":"x"})").status, 400);
  EXPECT_EQ(service.Send("POST", kBackups + "?action=prune", kJson, R"({"id":"x"})").status, 400);
  EXPECT_EQ(service.Send("POST", kBackups + "?action=burn").status, 400);
  EXPECT_EQ(service.Send("POST", kBackups + "/one").status, 400);
  for (const char* id : {"..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "CON", "a%0Ab", "one"}) {
    EXPECT_EQ(service.Send("GET", kBackups + "/" + id).status, 404) << id;
    EXPECT_EQ(service.Send("DELETE", kBackups + "/" + id).status, 404) << id;
    EXPECT_EQ(service.Send("POST", kBackups + "/" + id + "?action=restore").status, 404) << id;
    EXPECT_EQ(service.Send("GET", kRuns + id).status, 404) << id;
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "backups"));
}

TEST_P(BackupTest, WithoutAPlaceForThemTheAnswerSaysWhichSetting) {
  Service service = Start();
  const auto refused = service.Send("POST", kBackups);
  EXPECT_EQ(refused.status, 501);
  EXPECT_THAT(refused.body, HasSubstr("backups.directory"));
}

TEST_P(BackupTest, OnlyAnAdminOfEveryNamespaceMayDoIt) {
  const std::string tokens = folder_.Write("tokens.yaml",
                                           "tokens: [{name: root, token: root-token, namespace: default},\n"
                                           "         {name: tenant, token: tenant-token, namespace: default}]\n"
                                           "rules: [{principals: [root], namespaces: ['*'], verbs: [admin, write]},\n"
                                           "        {principals: [tenant], verbs: [admin, read, write]}]\n");
  Service service = Start(Settings() + "auth: {mode: tokens, tokens_file: " + tokens + "}\n");
  const http::Headers root{{"Authorization", "Bearer root-token"}};
  const http::Headers tenant{{"Authorization", "Bearer tenant-token"}};
  EXPECT_EQ(service.Send("GET", kBackups, root).status, 200);
  EXPECT_EQ(service.Send("POST", kBackups, root).status, 202);
  const std::vector<std::pair<std::string, std::string>> requests = {
      {"GET", kBackups},           {"POST", kBackups},         {"GET", kBackups + "/one"},
      {"DELETE", kBackups + "/a"}, {"GET", kRuns + "any-run"}, {"POST", kBackups + "/one?action=restore"}};
  for (const auto& [method, target] : requests) {
    EXPECT_EQ(service.Send(method, target, tenant).status, 403) << method << " " << target;
  }
}

// The process dies between two objects: the rate lets the first one through and no other.
TEST_P(BackupTest, OneWhoseProcessIsKilledIsNoBackup_fault) {
  {
    Service service = Start(Settings(", object_bytes: 64Ki, rate: 1"));
    std::string noise;
    for (std::uint32_t i = 0, random = 1; i < 200'000; ++i) {
      random = random * 1664525U + 1013904223U;
      noise.push_back(static_cast<char>(random >> 24));
    }
    service.Send("PUT", kStore + "/keys/k", {}, noise);
    const auto accepted = service.Send("POST", kBackups, kJson, R"({"id":"one"})");
    ASSERT_EQ(accepted.status, 202) << accepted.body;
    const auto files = [this] {
      std::size_t count = 0;
      if (!std::filesystem::exists(BackupFolder("one"))) return count;
      for (const auto& entry : std::filesystem::directory_iterator(BackupFolder("one"))) {
        count += entry.path().string().ends_with("-00000001") ? 1 : 0;
      }
      return count;
    };
    ASSERT_TRUE(Eventually([&] { return files() > 0; }));
    EXPECT_THAT(service.Json("GET", kBackups).at("items"), IsEmpty());
    service.process().Signal(SIGKILL);
    service.process().Wait();
  }
  Service service = Start(Settings());
  EXPECT_TRUE(std::filesystem::exists(BackupFolder("one")));
  EXPECT_THAT(service.Json("GET", kBackups).at("items"), IsEmpty());
  EXPECT_EQ(service.Send("GET", kBackups + "/one").status, 404);
  const json again = Create(service, "one");
  EXPECT_THAT(again.at("problem").at("detail").get<std::string>(), HasSubstr("what is left of one"));
  EXPECT_EQ(service.Send("DELETE", kBackups + "/one").status, 204);
  EXPECT_EQ(Create(service, "one").at("state"), "succeeded");
}

TEST_P(BackupTest, OnTheCommandLine) {
  const std::string key = folder_.Write("key", std::string(64, 'a') + "\n");
  Service service = Start(Settings(", key_file: " + key));
  service.Send("PUT", kStore + "/keys/k", {}, "before");
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "backup");
    words.insert(words.end(), {"--url", service.url()});
    return RunHoldfast({words, {}, ""});
  };
  const Finished created = run({"create", "one"});
  EXPECT_EQ(created.exit_code, 0) << created.errors;
  const json made = json::parse(created.output);
  EXPECT_EQ(made.at("item").at("id"), "one");
  EXPECT_EQ(made.at("item").at("encrypted"), true);
  EXPECT_EQ(json::parse(run({"run", made.at("run")}).output).at("state"), "succeeded");
  EXPECT_EQ(run({"create", "one"}).exit_code, 1);
  EXPECT_EQ(json::parse(run({"list"}).output).at("items").size(), 1U);
  EXPECT_EQ(json::parse(run({"show", "one"}).output).at("id"), "one");
  EXPECT_EQ(run({"verify", "one"}).exit_code, 0);
  service.Send("PUT", kStore + "/keys/k", {}, "after");
  EXPECT_EQ(run({"restore", "one"}).exit_code, 0);
  EXPECT_EQ(service.Send("GET", kStore + "/keys/k").body, "before");
  EXPECT_EQ(json::parse(run({"prune"}).output).at("removed"), json::array());
  const Finished left_alone = run({"create", "two", "--no-wait"});
  EXPECT_EQ(left_alone.exit_code, 0);
  EXPECT_NE(json::parse(left_alone.output).at("state"), "succeeded");
  Damage("one");
  const Finished damaged = run({"verify", "one"});
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.errors, HasSubstr("corruption"));
  EXPECT_EQ(run({"show", "none"}).exit_code, 1);
  EXPECT_EQ(run({"delete", "one"}).exit_code, 0);
  EXPECT_EQ(run({"burn", "one"}).exit_code, 2);
  EXPECT_EQ(run({"restore"}).exit_code, 2);
  EXPECT_EQ(run({"list", "one"}).exit_code, 2);
}

HOLDFAST_ON_BOTH_BACKENDS(BackupTest);

}  // namespace
}  // namespace holdfast
