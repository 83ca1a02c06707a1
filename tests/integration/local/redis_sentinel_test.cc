// A StorageCluster with Redis servers and sentinels, by nothing but the operator and Debian's redis-server: a master
// that is ended in order, one that is killed with its volume while its replicas are killed too, and a change that
// restarts every server, all under load.
#include <cstdio>
#include <iostream>

#include "base/time/deadline.h"
#include "operator/kube/base64.h"
#include "tests/integration/local/local_command_fixture.h"
#include "tests/integration/postgres/audited_load.h"

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
// docs/formats/redis.md: min-replicas-max-lag and two seconds.
constexpr std::chrono::seconds kMaxLag{3};
constexpr std::chrono::seconds kLossBound = kMaxLag + std::chrono::seconds{2};

class LocalSentinelTest : public LocalCommandTest {
 protected:
  // On a busy machine an answer may not come in time.
  json Object(const std::string& target) const {
    json object;
    EXPECT_TRUE(Eventually([&] { return (object = Kubernetes(target)).is_object(); }, kPatience)) << target;
    return object;
  }
  static std::string PathOf(const std::string& pod) { return std::string(kPods).append("/").append(pod); }
  json Pod(const std::string& name) const { return Object(PathOf(name)); }
  std::string PodIp(const std::string& name) const { return Pod(name).value("/status/podIP"_json_pointer, ""); }
  bool PodReady(const std::string& name) const {
    const json pod = Pod(name);
    return pod.value("/status/containerStatuses/0/ready"_json_pointer, false);
  }
  std::string UidOf(const std::string& name) const { return Pod(name).value("/metadata/uid"_json_pointer, ""); }
  // Where the service's pod listens. Its Service resets every connection, with answers under way, while the pod is not
  // ready, as it is in a long outage.
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
  std::string Ask(const std::string& pod, int port, const std::string& user, const std::string& words) const {
    const std::string address = PodIp(pod);
    if (address.empty()) return "";
    setenv("REDISCLI_AUTH", File(user + "-password").c_str(), 1);
    const std::string command = "timeout 5 redis-cli -h " + address + " -p " + std::to_string(port) +
                                " --tls --insecure --user " + user + " " + words + " 2>/dev/null";
    std::string text;
    FILE* output = popen(command.c_str(), "r");
    if (output == nullptr) return "";
    for (int c = 0; (c = std::fgetc(output)) != EOF;) text += static_cast<char>(c);
    pclose(output);
    return text;
  }
  using LocalCommandTest::Ask;

  // The pod that says that it is the master and that the sentinels name; "" while there is none.
  std::string Master() const {
    const std::string named = Ask("demo-local-sentinel-0", 26379, "sentinel", "sentinel get-master-addr-by-name main");
    const std::string pod = named.substr(0, named.find('.'));
    if (!pod.starts_with("demo-local-")) return "";
    return Ask(pod, 6379, "keeper", "info replication").find("role:master") != std::string::npos ? pod : "";
  }
  bool AllInStep() const {
    const std::string master = Master();
    if (master.empty()) return false;
    const std::string info = Ask(master, 6379, "keeper", "info replication");
    return info.find("connected_slaves:2") != std::string::npos && PodReady("demo-local-0") &&
           PodReady("demo-local-1") && PodReady("demo-local-2");
  }
  // The servers, this one first.
  static std::vector<std::string> Behind(const std::string& first) {
    std::vector<std::string> pods = {first};
    for (const char* pod : {"demo-local-0", "demo-local-1", "demo-local-2"}) {
      if (pod != first) pods.emplace_back(pod);
    }
    return pods;
  }
  std::string Log(const std::string& pod) const { return FileText(root() / "logs" / ("default_" + pod + ".log")); }
  int Switches() const {
    const std::string log = Log("demo-local-sentinel-0");
    int switches = 0;
    for (std::size_t at = 0; (at = log.find("+switch-master", at)) != std::string::npos; ++at) ++switches;
    return switches;
  }

  void Delete(const std::string& target) const { Ask(Event("api")["server"], "DELETE", target); }
  void Patch(const json& patch) const {
    http::ClientOptions options;
    options.base_url = Event("api")["server"];
    http::HttpClient client(options);
    const auto answer =
        client.Send({"PATCH", kCluster, {{"Content-Type", "application/merge-patch+json"}}, patch.dump()},
                    Deadline::After(std::chrono::seconds(10)));
    ASSERT_TRUE(answer.ok() && answer->status == 200) << (answer.ok() ? answer->body : answer.error().message());
  }
  static json Redis(const std::string& memory) {
    return {{"mode", "Sentinel"},
            {"storage", {{"size", "1Gi"}}},
            {"maxMemory", memory},
            {"sentinel",
             {{"downAfterMilliseconds", 3000},
              {"failoverTimeoutMilliseconds", 10000},
              {"maxLagSeconds", kMaxLag.count()}}}};
  }
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
  // The status says so, and that all are in step.
  bool StatusNames(const std::string& master) const {
    const json status = Object(kCluster).value("status", json::object());
    return status.value("/backends/0/primary"_json_pointer, "") == master &&
           status.value("/redis/0/master"_json_pointer, "") == master &&
           status.value("/redis/0/replicasInStep"_json_pointer, 0) == 2;
  }
  std::string EventText() const { return Object("/api/v1/namespaces/default/events").dump(); }
  // Everything that people and programs are told, and all that was logged.
  std::string Told() const {
    std::string text = Object(kCluster).dump() + FileText(output());
    for (const char* collection : {"events", "pods", "configmaps"}) {
      text += Object("/api/v1/namespaces/default/" + std::string(collection)).dump();
    }
    for (const auto& log : std::filesystem::directory_iterator(root() / "logs")) text += FileText(log.path());
    return text;
  }
  std::string WhatIsWrong() const {
    std::string text = Object(kCluster).value("status", json()).dump(2);
    for (const std::string& pod : Behind("demo-local-0")) {
      text.append("\n== ").append(pod).append("\n") += Ask(pod, 6379, "keeper", "info replication");
    }
    for (const char* sentinel : {"demo-local-sentinel-0", "demo-local-sentinel-1", "demo-local-sentinel-2"}) {
      text.append("\n== ").append(sentinel).append("\n") += Ask(sentinel, 26379, "sentinel", "sentinel replicas main");
    }
    for (const auto& log : std::filesystem::directory_iterator(root() / "logs")) {
      const std::string all = FileText(log.path());
      text += "\n== " + log.path().filename().string() + "\n" +
              all.substr(all.size() - std::min<std::size_t>(all.size(), 3000));
    }
    return text;
  }
};

TEST_F(LocalSentinelTest, redis_sentinel_MastersComeAndGoAndNoneIsEverEmpty) {
  http::HttpClient::SetThreads(16);
  Start(Manifest("redis: " + Redis("512Mi").dump()), {"--ready-timeout", "200"});
  ASSERT_TRUE(Eventually([&] { return !Event("running").is_null() || program_->Poll(); }, kPatience));
  ASSERT_FALSE(Event("running").is_null()) << FileText(output()) << WhatIsWrong();
  ASSERT_TRUE(Eventually([&] { return AllInStep(); }, kPatience)) << WhatIsWrong();
  EXPECT_EQ(Master(), "demo-local-0");
  EXPECT_EQ(File("initialized"), "yes");
  const json backend = Object(kCluster).at("/status/backends/0"_json_pointer);
  EXPECT_EQ(backend.value("endpoint", ""), "demo-local-sentinel.default.svc:26379");
  EXPECT_EQ(backend.value("sentinels", 0), 3);
  EXPECT_TRUE(Eventually([&] { return StatusNames("demo-local-0"); }, kPatience)) << WhatIsWrong();

  const auto began = Clock::now();
  AuditedLoad load(Service());
  ASSERT_TRUE(Acknowledges(load, 50));

  // Ended in order it hands over, and nothing is lost.
  const std::string first = Master();
  const std::string first_uid = UidOf(first);
  Delete(PathOf(first));
  ASSERT_TRUE(Eventually([&] { return !Master().empty() && Master() != first; }, kPatience)) << WhatIsWrong();
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  ASSERT_TRUE(Eventually([&] { return UidOf(first) != first_uid && AllInStep(); }, kPatience)) << WhatIsWrong();

  // Killed, and its volume is gone: it comes back empty, while the sentinels still name it. The replicas are killed
  // right after it, so that none of them can be in step before it has to be elected.
  const std::string second = Master();
  const std::string second_uid = UidOf(second);
  const auto killed_at = Clock::now();
  Delete(std::string(kClaims) + "/redisdata-" + second);
  for (const std::string& pod : Behind(second)) Delete(PathOf(pod) + "?gracePeriodSeconds=0");
  ASSERT_TRUE(Eventually([&] { return !Master().empty() && Master() != second; }, kPatience)) << WhatIsWrong();
  ASSERT_TRUE(Acknowledges(load, 1)) << WhatIsWrong();
  const auto resumed_at = Clock::now();
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  ASSERT_TRUE(Eventually([&] { return UidOf(second) != second_uid && AllInStep(); }, kPatience)) << WhatIsWrong();
  // It was a replica when it became the master, and is one again.
  EXPECT_THAT(Log(second), Not(HasSubstr("starts as master")));

  // Another configuration restarts every server, the replicas first and one after the other, and the master, which
  // hands over before it ends, last.
  const int switches = Switches();
  const std::string third = Master();
  std::map<std::string, std::string> uids;
  for (const std::string& pod : Behind(second)) uids[pod] = UidOf(pod);
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
  ASSERT_TRUE(Eventually([&] { return EventText().find("RolloutCompleted") != std::string::npos; }, kPatience));
  EXPECT_THAT(EventText(), HasSubstr("the master " + third + " hands over and is replaced"));
  load.Stop();
  // The status follows, and an event tells of each change.
  EXPECT_TRUE(Eventually([&] { return StatusNames(Master()); }, kPatience)) << WhatIsWrong();
  EXPECT_THAT(EventText(), HasSubstr("MasterChanged"));

  WriteHistory::Entries found;
  ASSERT_TRUE(Eventually([&] { return Everything(&found); }));
  // On a machine that is too busy a sentinel finds a server down that is not, and a server that ends is not answered in
  // time to hand over.
  const bool undisturbed = switches == 2 && Switches() == 3 && Log(first).find("hands over") != std::string::npos &&
                           Told().find("ends without handing over") == std::string::npos;
  const WriteHistory::Window window{undisturbed ? killed_at - kLossBound : began,
                                    undisturbed ? resumed_at : Clock::now()};
  EXPECT_THAT(load.history().Complaints(found, window), IsEmpty());
  std::cout << Switches() << " changes of the master; " << load.history().Lost(found) << " of "
            << load.history().counts().acknowledged << " acknowledged writes lost, bound " << kLossBound.count()
            << " s; outage with all servers killed "
            << std::chrono::duration_cast<std::chrono::milliseconds>(resumed_at - killed_at).count() << " ms\n";
  const std::string told = Told();
  for (const char* file : {"application-password", "replication-password", "sentinel-password", "keeper-password"}) {
    EXPECT_THAT(told, Not(HasSubstr(File(file)))) << file;
  }

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

}  // namespace
}  // namespace holdfast::local
