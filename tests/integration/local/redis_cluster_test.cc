// A StorageCluster with a Redis Cluster, by nothing but the operator and Debian's redis-server: a master that is ended
// in order, one that is killed with its volume, and a change that restarts every server, all under load.
#include <cstdio>
#include <iostream>

#include "base/time/deadline.h"
#include "operator/kube/base64.h"
#include "tests/integration/local/local_command_fixture.h"
#include "tests/integration/postgres/audited_load.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Clock = std::chrono::steady_clock;

// The machine may be busy.
constexpr std::chrono::seconds kPatience{240};
constexpr char kCluster[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters/demo";
constexpr char kPods[] = "/api/v1/namespaces/default/pods";
constexpr char kClaims[] = "/api/v1/namespaces/default/persistentvolumeclaims";
// What a master that is killed has acknowledged and not sent to its replica, which it does at once.
constexpr std::chrono::seconds kLossBound{2};

class LocalClusterTest : public LocalCommandTest {
 protected:
  // On a busy machine an answer may not come in time.
  json Object(const std::string& target) const {
    json object;
    EXPECT_TRUE(Eventually([&] { return (object = Kubernetes(target)).is_object(); }, kPatience)) << target;
    return object;
  }
  static std::string PathOf(const std::string& pod) { return std::string(kPods).append("/").append(pod); }
  std::string UidOf(const std::string& pod) const {
    return Object(PathOf(pod)).value("/metadata/uid"_json_pointer, "");
  }
  // Where the service's pod listens; its Service resets connections while the pod is not ready.
  std::string Service() const {
    const json pods = Object(kPods);
    for (const json& pod : pods.at("items")) {
      if (pod.value("/metadata/labels/app.kubernetes.io~1component"_json_pointer, "") != "state-service") continue;
      return std::string("http://").append(pod.at("/status/podIP"_json_pointer).get<std::string>()).append(":8080");
    }
    ADD_FAILURE() << "no pod of the service: " << pods;
    return "";
  }
  // Of the credentials.
  std::string File(const std::string& name) const {
    const json secret = Object("/api/v1/namespaces/default/secrets/demo-local-credentials");
    return kube::Base64Decode(secret.at("data").at(name).get<std::string>()).value();
  }
  // What redis-cli prints; the password is in its environment only.
  std::string AskServer(const std::string& pod, const std::string& words) const {
    const std::string address = Object(PathOf(pod)).value("/status/podIP"_json_pointer, "");
    if (address.empty()) return "";
    setenv("REDISCLI_AUTH", File("keeper-password").c_str(), 1);
    const std::string command =
        "timeout 5 redis-cli -h " + address + " --tls --insecure --user keeper " + words + " 2>/dev/null";
    std::string text;
    FILE* output = popen(command.c_str(), "r");
    if (output == nullptr) return "";
    for (int c = 0; (c = std::fgetc(output)) != EOF;) text += static_cast<char>(c);
    pclose(output);
    return text;
  }
  std::string IdOf(const std::string& pod) const {
    const std::string id = AskServer(pod, "cluster myid");
    return id.substr(0, id.find('\n'));
  }

  json Status() const { return Object(kCluster).value("/status/redis/0"_json_pointer, json::object()); }
  // The pod that has slot 0, 6000 or 12000.
  std::string MasterOf(int shard) const {
    return Status().value(json::json_pointer("/shards/" + std::to_string(shard) + "/master"), "");
  }
  // Every slot is served, and every replica is in step and ready.
  bool AllInStep(int shards = 3) const {
    const json status = Status();
    if (status.value("state", "") != "Serving" || status.value("replicasInStep", 0) != shards) return false;
    return Object("/apis/apps/v1/namespaces/default/statefulsets/demo-local")
               .value("/status/readyReplicas"_json_pointer, 0) == 2 * shards;
  }
  std::string Log(const std::string& pod) const { return FileText(root() / "logs" / ("default_" + pod + ".log")); }
  static std::vector<std::string> Servers() {
    std::vector<std::string> pods;
    for (int i = 0; i < 6; ++i) pods.push_back("demo-local-" + std::to_string(i));
    return pods;
  }

  void Delete(const std::string& target) const { Ask(Event("api")["server"], "DELETE", target); }
  void Patch(const json& patch) const { LocalCommandTest::Patch(kCluster, patch); }
  static json Redis(const std::string& memory) {
    return {{"mode", "Cluster"},
            {"storage", {{"size", "1Gi"}}},
            {"maxMemory", memory},
            {"cluster", {{"nodeTimeoutMilliseconds", 3000}}}};
  }
  void StartInStep(int shards = 3) {
    http::HttpClient::SetThreads(16);
    json redis = Redis("512Mi");
    redis["shards"] = shards;
    Start(Manifest("redis: " + redis.dump()), {"--ready-timeout", "200"});
    WaitUntilRunning(kPatience);
    ASSERT_TRUE(Eventually([&] { return AllInStep(shards); }, kPatience)) << WhatIsWrong();
  }
  void AskFor(int shards) const {
    json redis = Redis("512Mi");
    redis["shards"] = shards;
    Patch({{"spec", {{"backends", json::array({{{"name", "local"}, {"redis", std::move(redis)}}})}}}});
  }
  bool IsThere(const std::string& target) const { return Ask(Event("api")["server"], "GET", target).status == 200; }
  // So many further writes; AuditedLoad itself is less patient.
  static bool Acknowledges(AuditedLoad& load, std::uint64_t more) {
    const std::uint64_t goal = load.history().counts().acknowledged + more;
    return Eventually([&] { return load.history().counts().acknowledged >= goal; }, kPatience);
  }
  bool Everything(WriteHistory::Entries* found) const {
    found->clear();
    std::string cursor;
    for (bool complete = false; !complete;) {
      const auto answer = Ask(Service(), "GET", "/v1/stores/main/keys?values=true&limit=10000&cursor=" + cursor);
      if (answer.status != 200) return false;
      const json page = json::parse(answer.body);
      for (const json& item : page.at("items")) (*found)[item.at("key")] = item.at("value");
      cursor = page.at("cursor");
      complete = page.at("complete");
    }
    return true;
  }
  // Everything that people and programs are told, and all that was logged.
  std::string ToldToAnybody() const {
    std::string text = Object(kCluster).dump() + FileText(output());
    for (const char* collection : {"events", "pods", "configmaps"}) {
      text += Object("/api/v1/namespaces/default/" + std::string(collection)).dump();
    }
    for (const auto& log : std::filesystem::directory_iterator(root() / "logs")) text += FileText(log.path());
    return text;
  }
  std::string WhatIsWrong() const {
    std::string text = Object(kCluster).value("status", json()).dump(2);
    for (const std::string& pod : Servers()) {
      text.append("\n== ").append(pod).append("\n") += AskServer(pod, "cluster nodes");
      const std::string log = Log(pod);
      text += log.substr(log.size() - std::min<std::size_t>(log.size(), 2000));
    }
    return text;
  }
};

TEST_F(LocalClusterTest, redis_cluster_MastersComeAndGoAndNoneIsEverEmpty) {
  StartInStep();
  if (HasFatalFailure()) return;
  EXPECT_EQ(File("initialized"), "yes");
  EXPECT_EQ(Status().value("slotsCovered", 0), 16384);
  for (int shard = 0; shard < 3; ++shard) EXPECT_EQ(MasterOf(shard), "demo-local-" + std::to_string(2 * shard));
  EXPECT_EQ(Object(kCluster).value("/status/backends/0/endpoint"_json_pointer, ""), "demo-local.default.svc:6379");

  const auto began = Clock::now();
  AuditedLoad load(Service());
  ASSERT_TRUE(Acknowledges(load, 50));

  // Ended in order it hands over, and nothing is lost.
  const std::string first_uid = UidOf("demo-local-0");
  Delete(PathOf("demo-local-0"));
  ASSERT_TRUE(Eventually([&] { return MasterOf(0) == "demo-local-1"; }, kPatience)) << WhatIsWrong();
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  ASSERT_TRUE(Eventually([&] { return UidOf("demo-local-0") != first_uid && AllInStep(); }, kPatience))
      << WhatIsWrong();
  const bool in_order = Log("demo-local-0").find("hands over") != std::string::npos;

  // Killed, and its volume is gone: it comes back as a new server, and follows the one that has taken over.
  const std::string killed_id = IdOf("demo-local-2");
  const std::string killed_uid = UidOf("demo-local-2");
  const auto killed_at = Clock::now();
  Delete(std::string(kClaims) + "/redisdata-demo-local-2");
  Delete(PathOf("demo-local-2") + "?gracePeriodSeconds=0");
  ASSERT_TRUE(Eventually([&] { return MasterOf(1) == "demo-local-3"; }, kPatience)) << WhatIsWrong();
  const auto replaced_at = Clock::now();
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  ASSERT_TRUE(Eventually([&] { return UidOf("demo-local-2") != killed_uid && AllInStep(); }, kPatience))
      << WhatIsWrong();
  EXPECT_NE(IdOf("demo-local-2"), killed_id);
  EXPECT_THAT(AskServer("demo-local-2", "info replication"), HasSubstr("role:slave"));
  EXPECT_TRUE(Eventually(
      [&] { return AskServer("demo-local-5", "cluster nodes").find(killed_id) == std::string::npos; }, kPatience))
      << WhatIsWrong();

  // Another configuration restarts every server, one after the other, and masters hand over before they end.
  std::map<std::string, std::string> uids;
  for (const std::string& pod : Servers()) uids[pod] = UidOf(pod);
  Patch({{"spec", {{"backends", json::array({{{"name", "local"}, {"redis", Redis("640Mi")}}})}}}});
  ASSERT_TRUE(Eventually(
      [&] {
        return std::all_of(uids.begin(), uids.end(),
                           [&](const auto& each) { return UidOf(each.first) != each.second; }) &&
               AllInStep();
      },
      kPatience))
      << WhatIsWrong();
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  load.Stop();
  EXPECT_THAT(Object("/api/v1/namespaces/default/events").dump(), HasSubstr("MasterChanged"));

  WriteHistory::Entries found;
  ASSERT_TRUE(Eventually([&] { return Everything(&found); }));
  // On a machine that is too busy a server is found down that is not, and one that ends is not answered in time.
  const std::string told = ToldToAnybody();
  const bool undisturbed = in_order && told.find("ends without handing over") == std::string::npos;
  const WriteHistory::Window window{undisturbed ? killed_at - kLossBound : began,
                                    undisturbed ? replaced_at : Clock::now()};
  EXPECT_THAT(load.history().Complaints(found, window), IsEmpty());
  std::cout << load.history().Lost(found) << " of " << load.history().counts().acknowledged
            << " acknowledged writes lost, bound " << kLossBound.count() << " s; a shard without a master for "
            << std::chrono::duration_cast<std::chrono::milliseconds>(replaced_at - killed_at).count() << " ms\n";
  for (const char* file : {"application-password", "replication-password", "keeper-password"}) {
    EXPECT_THAT(told, Not(HasSubstr(File(file)))) << file;
  }

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

// Whatever is written meanwhile, to slots that move and to others, is there afterwards.
TEST_F(LocalClusterTest, redis_cluster_NewShardsGetTheirPartOfTheSlotsUnderLoad) {
  StartInStep();
  if (HasFatalFailure()) return;

  const auto began = Clock::now();
  AuditedLoad load(Service());
  ASSERT_TRUE(Acknowledges(load, 500));
  AskFor(5);
  int moving = 0;
  ASSERT_TRUE(Eventually(
      [&] {
        moving += Status().contains("slotsToMove") ? 1 : 0;
        return moving > 0 && !Status().contains("slotsToMove") && AllInStep(5);
      },
      kPatience))
      << WhatIsWrong();
  const auto moved = Clock::now();
  ASSERT_TRUE(Acknowledges(load, 100)) << WhatIsWrong();
  load.Stop();

  // Of five equal parts the new shards have the second and the fourth, and keys in them.
  EXPECT_EQ(Status().at("shards").size(), 5u);
  for (int shard = 0; shard < 5; ++shard) {
    const std::string master = MasterOf(shard);
    EXPECT_EQ(master, std::vector({"demo-local-0", "demo-local-6", "demo-local-2", "demo-local-8", "demo-local-4"})
                          .at(static_cast<std::size_t>(shard)));
    EXPECT_THAT(AskServer(master, "info keyspace"), HasSubstr("db0:keys="));
  }
  const std::string events = Object("/api/v1/namespaces/default/events").dump();
  EXPECT_THAT(events, HasSubstr("SlotsMoving"));
  EXPECT_THAT(events, HasSubstr("SlotsMoved"));
  EXPECT_THAT(events, Not(HasSubstr("ShardLost")));
  WriteHistory::Entries found;
  ASSERT_TRUE(Eventually([&] { return Everything(&found); }));
  EXPECT_EQ(load.history().Lost(found), 0u);
  EXPECT_THAT(load.history().Complaints(found, {began, began}), IsEmpty());
  std::cout << "0 of " << load.history().counts().acknowledged << " acknowledged writes lost while slots moved, for "
            << std::chrono::duration_cast<std::chrono::milliseconds>(moved - began).count() << " ms\n";
  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

// The slots of the shard that goes are at the others before its servers are forgotten, and these before their pods end.
TEST_F(LocalClusterTest, redis_cluster_AShardGoesUnderLoadAndNothingIsLost) {
  StartInStep(4);
  if (HasFatalFailure()) return;
  const auto began = Clock::now();
  AuditedLoad load(Service());
  ASSERT_TRUE(Acknowledges(load, 500));
  const std::vector<std::string> leaving = {"demo-local-6", "demo-local-7"};
  EXPECT_EQ(MasterOf(3), leaving.front());
  EXPECT_THAT(AskServer(leaving.front(), "info keyspace"), HasSubstr("db0:keys="));
  std::vector<std::string> ids;
  for (const std::string& pod : leaving) ids.push_back(IdOf(pod));

  AskFor(3);
  ASSERT_TRUE(Eventually(
      [&] {
        return std::none_of(leaving.begin(), leaving.end(),
                            [&](const std::string& pod) { return IsThere(PathOf(pod)); }) &&
               AllInStep(3);
      },
      kPatience))
      << WhatIsWrong();
  const auto gone = Clock::now();
  ASSERT_TRUE(Acknowledges(load, 100)) << WhatIsWrong();
  load.Stop();

  EXPECT_EQ(Status().at("shards").size(), 3u);
  for (const std::string& pod : Servers()) {
    for (const std::string& id : ids) EXPECT_THAT(AskServer(pod, "cluster nodes"), Not(HasSubstr(id))) << pod;
  }
  for (const std::string& pod : leaving) EXPECT_TRUE(IsThere(std::string(kClaims) + "/redisdata-" + pod));
  const std::string events = Object("/api/v1/namespaces/default/events").dump();
  EXPECT_THAT(events, HasSubstr("SlotsMoved"));
  EXPECT_THAT(events, HasSubstr("ServersLetGo"));
  EXPECT_THAT(events, Not(HasSubstr("ShardLost")));
  WriteHistory::Entries found;
  ASSERT_TRUE(Eventually([&] { return Everything(&found); }));
  EXPECT_EQ(load.history().Lost(found), 0u);
  EXPECT_THAT(load.history().Complaints(found, {began, began}), IsEmpty());
  std::cout << "0 of " << load.history().counts().acknowledged << " acknowledged writes lost while a shard went, for "
            << std::chrono::duration_cast<std::chrono::milliseconds>(gone - began).count() << " ms\n";

  // They come back with their volumes, as a new shard.
  AskFor(4);
  ASSERT_TRUE(Eventually([&] { return !Status().contains("slotsToMove") && AllInStep(4); }, kPatience))
      << WhatIsWrong();
  EXPECT_EQ(MasterOf(2), leaving.front());
  ASSERT_TRUE(Eventually([&] { return Everything(&found); }));
  EXPECT_THAT(load.history().Complaints(found, {began, began}), IsEmpty());
  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

// As after a night in which nothing ran. Every address is another server's now.
TEST_F(LocalClusterTest, redis_cluster_ServersAtEachOthersAddressesFindEachOther) {
  const std::string manifest = Manifest("redis: " + Redis("512Mi").dump());
  Start(manifest, {"--ready-timeout", "200"});
  ASSERT_TRUE(Eventually([&] { return !Event("running").is_null() || program_->Poll(); }, kPatience));
  ASSERT_FALSE(Event("running").is_null()) << FileText(output());
  ASSERT_EQ(Store("PUT", "hello").status / 100, 2);
  program_->Signal(SIGTERM);
  ASSERT_EQ(ExitStatus(), 0);

  const std::filesystem::path book = root() / "addresses.json";
  json addresses = json::parse(FileText(book));
  std::vector<std::string> pods;
  for (const std::string& pod : Servers()) pods.push_back("default/" + pod);
  const json first = addresses.at(pods.front());
  for (std::size_t i = 0; i + 1 < pods.size(); ++i) addresses[pods[i]] = addresses.at(pods[i + 1]);
  addresses[pods.back()] = first;
  std::ofstream(book) << addresses.dump();

  Start(manifest, {"--ready-timeout", "200"});
  ASSERT_TRUE(Eventually([&] { return !Event("running").is_null() || program_->Poll(); }, kPatience));
  ASSERT_FALSE(Event("running").is_null()) << FileText(output());
  EXPECT_TRUE(Eventually([&] { return AllInStep(); }, kPatience)) << WhatIsWrong();
  EXPECT_EQ(Object(PathOf("demo-local-5")).value("/status/podIP"_json_pointer, ""), first.get<std::string>());
  EXPECT_EQ(Store("GET").body, "hello");
  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

}  // namespace
}  // namespace holdfast::local
