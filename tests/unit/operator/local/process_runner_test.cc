#include "operator/local/process_runner/process_runner.h"

#include "operator/local/process_runner/tcp_connect.h"
#include "tests/unit/operator/local/runner_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using testing::HasSubstr;
using ProcessRunnerTest = RunnerTest;

TEST_F(ProcessRunnerTest, RunsAPodAndTellsItsStatus) {
  Create(PodPath(), Pod("p", {"sleep"}));
  ASSERT_TRUE(Eventually([&] { return IsReady("p"); }));
  Json pod = Get(PodPath("p")).body;
  EXPECT_EQ(pod["spec"]["nodeName"], "local");
  EXPECT_EQ(pod["status"]["phase"], "Running");
  EXPECT_EQ(pod["status"]["podIP"], address());
  EXPECT_EQ(Container("p")["restartCount"], 0);
  EXPECT_TRUE(ProcessExists(PidOf("p")));
}

TEST_F(ProcessRunnerTest, APodAtRestCausesNoWrites) {
  Create(PodPath(), Pod("p", {"sleep"}));
  ASSERT_TRUE(Eventually([&] { return IsReady("p"); }));
  EXPECT_TRUE(RestsForAWhile());
}

TEST_F(ProcessRunnerTest, EachPodHasAnAddressOfItsOwnAndKeepsIt) {
  Create(PodPath(), Pod("a", {"sleep"}));
  ASSERT_TRUE(Eventually([&] { return IsReady("a"); }));
  Create(PodPath(), Pod("b", {"sleep"}));
  ASSERT_TRUE(Eventually([&] { return IsReady("b"); }));
  EXPECT_EQ(Get(PodPath("b")).body["status"]["podIP"], network_->pods() + ".2");
  Delete(PodPath("b"));
  ASSERT_TRUE(Vanishes(PodPath("b")));
  Create(PodPath(), Pod("c", {"sleep"}));
  ASSERT_TRUE(Eventually([&] { return IsReady("c"); }));
  Create(PodPath(), Pod("b", {"sleep"}));
  ASSERT_TRUE(Eventually([&] { return IsReady("b"); }));
  EXPECT_EQ(Get(PodPath("b")).body["status"]["podIP"], network_->pods() + ".2");
}

TEST_F(ProcessRunnerTest, AKilledContainerThatWasReadyIsRestartedAtOnceEveryTime) {
  Create(PodPath(), Pod("p", {"sleep"}));
  pid_t before = 0;
  for (int restarts = 1; restarts <= 3; ++restarts) {
    ASSERT_TRUE(Eventually([&] { return IsReady("p") && PidOf("p") != before; }));
    before = PidOf("p");
    kill(before, SIGKILL);
    ASSERT_TRUE(Eventually([&] { return Container("p")["restartCount"] == restarts && IsReady("p"); }));
  }
  Json last = Container("p")["lastState"]["terminated"];
  EXPECT_EQ(last["exitCode"], 137);
  EXPECT_EQ(last["signal"], 9);
  EXPECT_EQ(last["reason"], "Error");
  EXPECT_FALSE(ProcessExists(before));
}

TEST_F(ProcessRunnerTest, ACrashLoopBacksOffAfterTheFirstRestart) {
  // Never ready: its readiness probe has nothing to answer it.
  Json probe = {{"readinessProbe", {{"tcpSocket", {{"port", 1}}}}}};
  Create(PodPath(), Pod("p", {"exit", "3"}, probe));
  ASSERT_TRUE(Eventually([&] { return TextAt(Container("p"), {"state", "waiting", "reason"}) == "CrashLoopBackOff"; }));
  Json container = Container("p");
  EXPECT_EQ(container["restartCount"], 2);
  EXPECT_EQ(container["lastState"]["terminated"]["exitCode"], 3);
  EXPECT_THAT(TextAt(container, {"state", "waiting", "message"}), HasSubstr("back-off 10s"));
  EXPECT_FALSE(IsReady("p"));
}

TEST_F(ProcessRunnerTest, TermIsFollowedByKillWhenItIsIgnored) {
  Create(PodPath(), Pod("p", {"stubborn"}));
  ASSERT_TRUE(Eventually([&] { return IsReady("p"); }));
  pid_t pid = PidOf("p");
  Reply marked = Delete(PodPath("p"));
  EXPECT_EQ(marked.body["metadata"]["deletionGracePeriodSeconds"], 1);
  EXPECT_TRUE(ProcessExists(pid));
  EXPECT_TRUE(Vanishes(PodPath("p")));
  EXPECT_FALSE(ProcessExists(pid));
}

TEST_F(ProcessRunnerTest, APodThatStopsWhenToldIsGoneBeforeItsGracePeriod) {
  Json pod = Pod("p", {"sleep"});
  pod["spec"]["terminationGracePeriodSeconds"] = 300;
  Create(PodPath(), pod);
  ASSERT_TRUE(Eventually([&] { return IsReady("p"); }));
  Delete(PodPath("p"));
  EXPECT_TRUE(Vanishes(PodPath("p")));
}

TEST_F(ProcessRunnerTest, StoppingTheRunnerStopsEveryProcess) {
  Create(PodPath(), Pod("a", {"sleep"}));
  Create(PodPath(), Pod("b", {"stubborn"}));
  ASSERT_TRUE(Eventually([&] { return IsReady("a") && IsReady("b"); }));
  pid_t a = PidOf("a");
  pid_t b = PidOf("b");
  runner_.reset();
  EXPECT_FALSE(ProcessExists(a));
  EXPECT_FALSE(ProcessExists(b));
}

class ServingPodTest : public RunnerTest {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(switches_);
    Json claim = Json::parse(R"({"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"switches"},
      "spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}})");
    Create("/api/v1/namespaces/default/persistentvolumeclaims", claim);
  }
  Json Serving(Json probes) {
    Json more = {{"ports", {{{"name", "web"}, {"containerPort", kPort}}}},
                 {"volumeMounts", {{{"name", "switches"}, {"mountPath", "/switches"}}}}};
    more.update(probes);
    Json pod = Pod("p", {"serve", "$(POD_IP)", std::to_string(kPort), "/switches"}, more);
    pod["spec"]["volumes"] = Json::parse(R"([{"name":"switches","persistentVolumeClaim":{"claimName":"switches"}}])");
    return pod;
  }
  static Json HttpProbe(int failures) {
    return {{"httpGet", {{"path", "/"}, {"port", "web"}}}, {"periodSeconds", 1}, {"failureThreshold", failures}};
  }
  void SetHealthy(bool healthy) {
    if (healthy) {
      std::ofstream(switches_ / "healthy") << "yes";
    } else {
      std::filesystem::remove(switches_ / "healthy");
    }
  }

  // The pod's address is nobody else's, so any port is free.
  static constexpr std::uint16_t kPort = 20000;
  std::filesystem::path switches_ = root_ / "volumes" / "default" / "switches";
};

TEST_F(ServingPodTest, AFailingReadinessProbeTakesThePodOutWithoutARestart) {
  SetHealthy(true);
  Create(PodPath(), Serving({{"readinessProbe", HttpProbe(1)}}));
  ASSERT_TRUE(Eventually([&] { return IsReady("p"); }));
  SetHealthy(false);
  ASSERT_TRUE(Eventually([&] { return !IsReady("p"); }));
  EXPECT_TRUE(IsRunning("p"));
  EXPECT_EQ(Container("p")["restartCount"], 0);
  SetHealthy(true);
  EXPECT_TRUE(Eventually([&] { return IsReady("p"); }));
}

TEST_F(ServingPodTest, AFailingLivenessProbeRestartsTheContainer) {
  SetHealthy(true);
  Create(PodPath(), Serving({{"livenessProbe", HttpProbe(2)}}));
  ASSERT_TRUE(Eventually([&] { return IsRunning("p"); }));
  SetHealthy(false);
  ASSERT_TRUE(Eventually([&] { return Container("p")["restartCount"].get<int>() >= 1; }));
  SetHealthy(true);
  EXPECT_THAT(TextAt(Container("p"), {"lastState", "terminated", "message"}), HasSubstr("liveness probe failed"));
  EXPECT_TRUE(Eventually([&] { return IsReady("p"); }));
}

TEST_F(ServingPodTest, NothingIsProbedBeforeTheStartupProbeHasSucceeded) {
  Create(PodPath(), Serving({{"startupProbe", HttpProbe(1000)}, {"livenessProbe", HttpProbe(1)}}));
  ASSERT_TRUE(Eventually(
      [&] { return IsRunning("p") && TryTcpConnect(address(), kPort, std::chrono::seconds(1)) == std::nullopt; }));
  EXPECT_FALSE(Container("p")["started"].get<bool>());
  SetHealthy(true);
  ASSERT_TRUE(Eventually([&] { return IsReady("p"); }));
  EXPECT_EQ(Container("p")["restartCount"], 0);
}

TEST_F(ProcessRunnerTest, VolumesEnvironmentAndReferencesReachAProcessThatIsNotContained) {
  StartRunner(false);
  Create(MapPath(), Map("settings", {{"settings.yaml", "port: 1"}, {"colour", "blue"}}));
  Create("/api/v1/namespaces/default/secrets", {{"apiVersion", "v1"},
                                                {"kind", "Secret"},
                                                {"metadata", {{"name", "keys"}}},
                                                {"stringData", {{"key", "sesame"}}}});
  std::string shown = (root_ / "shown").string();
  Json pod = Pod(
      "p", {"show", shown, "--config", "/etc/app/settings.yaml", "--dir=/data/db", "/database", "$(NAME)", "$$(NAME)"},
      Json::parse(R"({"env":[
                   {"name":"NAME","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}},
                   {"name":"COLOUR","valueFrom":{"configMapKeyRef":{"name":"settings","key":"colour"}}},
                   {"name":"KEY","valueFrom":{"secretKeyRef":{"name":"keys","key":"key"}}},
                   {"name":"WHERE","value":"/data/x"}],
                   "volumeMounts":[{"name":"conf","mountPath":"/etc/app"},{"name":"d","mountPath":"/data"},
                                   {"name":"s","mountPath":"/keys"}]})"));
  pod["spec"]["volumes"] = Json::parse(R"([{"name":"conf","configMap":{"name":"settings"}},{"name":"d","emptyDir":{}},
    {"name":"s","secret":{"secretName":"keys"}}])");
  Create(PodPath(), pod);
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(shown); })) << Get(PodPath("p")).body;
  std::string volumes = (root_ / "pods" / UidOf(Get(PodPath("p")).body) / "volumes").string();
  std::string text = FileText(shown);
  for (const std::string& line :
       {"--config\n" + volumes + "/conf/settings.yaml", "--dir=" + volumes + "/d/db", std::string("/database"),
        std::string("p\n$(NAME)"), std::string("NAME=p"), std::string("COLOUR=blue"), std::string("KEY=sesame"),
        "WHERE=" + volumes + "/d/x", "OVERRIDE_ADDRESS=" + address(), "OVERRIDE_DATA=" + volumes + "/d"}) {
    EXPECT_THAT(text, HasSubstr(line + "\n"));
  }
  EXPECT_THAT(text, testing::Not(HasSubstr("OVERRIDE_ABSENT")));
  EXPECT_EQ(FileText(volumes + "/conf/settings.yaml"), "port: 1");
  EXPECT_EQ(FileText(volumes + "/s/key"), "sesame");

  MergePatch(MapPath("settings"), {{"data", {{"settings.yaml", "port: 2"}, {"colour", nullptr}}}});
  EXPECT_TRUE(Eventually([&] { return FileText(volumes + "/conf/settings.yaml") == "port: 2"; }));
  EXPECT_TRUE(Eventually([&] { return !std::filesystem::exists(volumes + "/conf/colour"); }));
  Delete(PodPath("p"));
  ASSERT_TRUE(Vanishes(PodPath("p")));
  EXPECT_FALSE(std::filesystem::exists(volumes));
}

TEST_F(ProcessRunnerTest, APodWaitsForWhatItNeeds) {
  Json pod = Pod("p", {"sleep"}, {{"volumeMounts", {{{"name", "conf"}, {"mountPath", "/etc/app"}}}}});
  pod["spec"]["volumes"] = Json::parse(R"([{"name":"conf","configMap":{"name":"late"}}])");
  Create(PodPath(), pod);
  ASSERT_TRUE(Eventually([&] {
    return TextAt(Container("p"), {"state", "waiting", "message"}) == "volume \"conf\": configMap \"late\" not found";
  }));
  Create(MapPath(), Map("late"));
  EXPECT_TRUE(Eventually([&] { return IsReady("p"); }));
}

TEST_F(ProcessRunnerTest, AProgramThatIsNotThereIsNamed) {
  Json pod = Pod("p", Json::array());
  pod["spec"]["containers"][0]["command"] = {"no-such-program"};
  Create(PodPath(), pod);
  EXPECT_TRUE(Eventually([&] {
    return TextAt(Container("p"), {"state", "waiting", "message"}).find("\"no-such-program\" is not in") !=
           std::string::npos;
  }));
}

TEST_F(ProcessRunnerTest, ClaimsOutliveTheirPodsAndTakeTheirDataWithThem) {
  std::string claims = "/api/v1/namespaces/default/persistentvolumeclaims";
  Json claim = Json::parse(R"({"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data"},
    "spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}})");
  Create(claims, claim);
  EXPECT_TRUE(Eventually([&] { return Get(claims + "/data").body["status"]["phase"] == "Bound"; }));
  Json pod = Pod("p", {"sleep"}, {{"volumeMounts", {{{"name", "d"}, {"mountPath", "/data"}}}}});
  pod["spec"]["volumes"] = Json::parse(R"([{"name":"d","persistentVolumeClaim":{"claimName":"data"}}])");
  Create(PodPath(), pod);
  ASSERT_TRUE(Eventually([&] { return IsReady("p"); }));
  std::filesystem::path folder = root_ / "volumes" / "default" / "data";
  std::ofstream(folder / "file") << "kept";

  Delete(claims + "/data");
  EXPECT_TRUE(IsTerminating(Get(claims + "/data").body));
  EXPECT_TRUE(std::filesystem::exists(folder / "file"));
  Delete(PodPath("p"));
  EXPECT_TRUE(Vanishes(claims + "/data"));
  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST_F(ProcessRunnerTest, LogsAreKeptPerPodAndServed) {
  api_.SetPodLogs([&](const std::string& ns, const std::string& pod) { return runner_->PodLogTail(ns, pod); });
  Json pod = Pod("p", Json::array());
  pod["spec"]["containers"][0]["command"] = {"/bin/sh", "-c", "echo hello; exec sleep 1000"};
  Create(PodPath(), pod);
  EXPECT_TRUE(Eventually([&] { return Get(PodPath("p") + "/log").body == "hello\n"; }));
  EXPECT_EQ(FileText(root_ / "logs" / "default_p.log"), "hello\n");
  EXPECT_EQ(Get(PodPath("q") + "/log").status, 404);
  api_.SetPodLogs({});
}

}  // namespace
}  // namespace holdfast::local
