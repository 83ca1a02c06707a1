// A StorageCluster `demo` with the Redis backend `local`, three servers and three sentinels, by nothing but the
// operator and Debian's redis-server.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/time/deadline.h"
#include "operator/kube/base64.h"
#include "tests/integration/local/local_command_fixture.h"
#include "tests/integration/postgres/audited_load.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {

// The machine may be busy.
inline constexpr std::chrono::seconds kPatience{240};
inline constexpr char kCluster[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters/demo";
inline constexpr char kPods[] = "/api/v1/namespaces/default/pods";
inline constexpr char kClaims[] = "/api/v1/namespaces/default/persistentvolumeclaims";
// docs/formats/redis.md: min-replicas-max-lag and two seconds.
inline constexpr std::chrono::seconds kMaxLag{3};
inline constexpr std::chrono::seconds kLossBound = kMaxLag + std::chrono::seconds{2};

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

  // What redis-cli prints.
  std::string Ask(const std::string& pod, int port, const std::string& user, const std::string& words) const {
    return AskWith(File(user + "-password"), pod, port, user, words);
  }
  // The password is in its environment only.
  std::string AskWith(const std::string& password, const std::string& pod, int port, const std::string& user,
                      const std::string& words) const {
    const std::string address = PodIp(pod);
    if (address.empty()) return "";
    setenv("REDISCLI_AUTH", password.c_str(), 1);
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
  // Every master that was ended in order.
  bool AllHandedOver() const {
    const std::filesystem::directory_iterator logs(root() / "logs");
    return std::none_of(begin(logs), end(logs), [&](const auto& log) {
      return FileText(log.path()).find("ends without handing over") != std::string::npos;
    });
  }
  int Switches() const {
    const std::string log = Log("demo-local-sentinel-0");
    int switches = 0;
    for (std::size_t at = 0; (at = log.find("+switch-master", at)) != std::string::npos; ++at) ++switches;
    return switches;
  }

  void Delete(const std::string& target) const { Ask(Event("api")["server"], "DELETE", target); }
  void Patch(const json& patch) const { LocalCommandTest::Patch(kCluster, patch); }
  static json Redis(const std::string& memory) {
    return {{"mode", "Sentinel"},
            {"storage", {{"size", "1Gi"}}},
            {"maxMemory", memory},
            {"sentinel",
             {{"downAfterMilliseconds", 3000},
              {"failoverTimeoutMilliseconds", 10000},
              {"maxLagSeconds", kMaxLag.count()}}}};
  }
  void StartInStep() {
    http::HttpClient::SetThreads(16);
    Start(Manifest("redis: " + Redis("512Mi").dump()), {"--ready-timeout", "200"});
    ASSERT_TRUE(Eventually([&] { return !Event("running").is_null() || program_->Poll(); }, kPatience));
    ASSERT_FALSE(Event("running").is_null()) << FileText(output()) << WhatIsWrong();
    ASSERT_TRUE(Eventually([&] { return AllInStep(); }, kPatience)) << WhatIsWrong();
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

}  // namespace holdfast::local
