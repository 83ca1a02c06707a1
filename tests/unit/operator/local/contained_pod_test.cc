// Pods with files, processes and users of their own. These need what Debian gives to root and, with user namespaces, to
// everybody; where a machine refuses both, they say so and fail.
#include <dirent.h>

#include "tests/unit/operator/local/runner_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using testing::HasSubstr;

// Programs of this machine that were started with this argument.
int CountProcesses(const std::string& argument) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::string line = FileText(entry.path() / "cmdline");
    if (line.find(std::string(1, '\0') + argument + '\0') != std::string::npos) ++count;
  }
  return count;
}

class ContainedPodTest : public RunnerTest {
 protected:
  void SetUp() override {
    std::string why_not;
    ASSERT_NE(FindContainmentAbility(root_, &why_not), ContainmentAbility::kNone) << why_not;
  }
  static Json Shell(const std::string& script, Json more = Json::object()) {
    Json pod = Pod("p", Json::array(), more);
    pod["spec"]["containers"][0]["command"] = {"/bin/sh", "-c", script};
    return pod;
  }
  std::string Log() const { return runner_->PodLogTail("default", "p").value_or(""); }
  // Runs it to its end.
  std::string OutputOf(Json pod) {
    pod["spec"]["restartPolicy"] = "Never";
    Reply made = Create(PodPath(), pod);
    EXPECT_EQ(made.status, 201) << made.body;
    EXPECT_TRUE(Eventually([&] {
      std::string phase = TextAt(Get(PodPath("p")).body, {"status", "phase"});
      return phase == "Succeeded" || phase == "Failed";
    })) << Get(PodPath("p")).body;
    return Log();
  }
};

TEST_F(ContainedPodTest, VolumesAreWhereThePodMountsThem) {
  Create(MapPath(), Map("settings", {{"colour", "blue"}}));
  Json pod = Shell("cat /etc/app/colour /etc/deep/er/name; echo kept > /data/file; cat /var/lib/app/inner/file",
                   Json::parse(R"({"volumeMounts":[{"name":"conf","mountPath":"/etc/app"},
      {"name":"all","mountPath":"/etc/deep/er"}, {"name":"d","mountPath":"/data"},
      {"name":"d","mountPath":"/var/lib/app/inner"}]})"));
  pod["spec"]["volumes"] = Json::parse(R"([{"name":"conf","configMap":{"name":"settings"}},{"name":"d","emptyDir":{}},
    {"name":"all","projected":{"sources":[{"configMap":{"name":"settings"}},
      {"downwardAPI":{"items":[{"path":"name","fieldRef":{"fieldPath":"metadata.name"}}]}}]}}])");
  EXPECT_EQ(OutputOf(pod), "bluepkept\n");
  EXPECT_FALSE(std::filesystem::exists("/var/lib/app"));
  EXPECT_FALSE(std::filesystem::exists("/etc/deep"));
}

TEST_F(ContainedPodTest, AChangedConfigMapIsSeenInTheRunningPod) {
  Create(MapPath(), Map("settings", {{"colour", "blue"}}));
  Json pod = Shell("until grep -q green /etc/app/colour; do sleep 0.05; done; echo green",
                   {{"volumeMounts", {{{"name", "conf"}, {"mountPath", "/etc/app"}}}}});
  pod["spec"]["volumes"] = Json::parse(R"([{"name":"conf","configMap":{"name":"settings"}}])");
  Create(PodPath(), pod);
  ASSERT_TRUE(Eventually([&] { return IsRunning("p"); }));
  MergePatch(MapPath("settings"), {{"data", {{"colour", "green"}}}});
  EXPECT_TRUE(Eventually([&] { return Log() == "green\n"; }));
}

TEST_F(ContainedPodTest, ItsTemporaryFilesAndProcessesAreItsOwn) {
  std::string mark = "/tmp/holdfast-mark-" + std::to_string(getpid());
  std::ofstream(mark) << "the machine's";
  EXPECT_EQ(OutputOf(Shell("ls /tmp; hostname; echo x > /tmp/own; ls /tmp; cat /proc/1/comm")), "p\nown\ncontainer\n");
  std::filesystem::remove(mark);
}

TEST_F(ContainedPodTest, RunsAsItsUserWhichHasAName) {
  Json pod =
      Shell("id -u; id -g; id -un; echo mine > /data/file; stat -c %g /data/file; cat /keys/key",
            Json::parse(R"({"volumeMounts":[{"name":"d","mountPath":"/data"},{"name":"s","mountPath":"/keys"}]})"));
  Create("/api/v1/namespaces/default/secrets", {{"apiVersion", "v1"},
                                                {"kind", "Secret"},
                                                {"metadata", {{"name", "keys"}}},
                                                {"stringData", {{"key", "sesame"}}}});
  pod["spec"]["securityContext"] = {{"runAsUser", 45001}, {"runAsGroup", 45002}, {"fsGroup", 45002}};
  pod["spec"]["volumes"] =
      Json::parse(R"([{"name":"d","emptyDir":{}},{"name":"s","secret":{"secretName":"keys","defaultMode":256}}])");
  EXPECT_EQ(OutputOf(pod), "45001\n45002\n45001\n45002\nsesame");
}

TEST_F(ContainedPodTest, ManyStartAtOnceAsTheirUsers) {
  // A change of user through the C library takes a lock of the parent's threads, which the child of a clone may inherit
  // held: one of three database members never started.
  constexpr int kPods = 24;
  for (int i = 0; i < kPods; ++i) {
    Json pod = Pod("p" + std::to_string(i), {"sleep"});
    pod["spec"]["securityContext"] = {{"runAsUser", 45001}, {"runAsGroup", 45002}};
    Create(PodPath(), pod);
  }
  EXPECT_TRUE(Eventually(
      [&] {
        int ready = 0;
        for (int i = 0; i < kPods; ++i) ready += IsReady("p" + std::to_string(i)) ? 1 : 0;
        return ready == kPods;
      },
      std::chrono::seconds(60)));
}

TEST_F(ContainedPodTest, WhatItStartedEndsWithIt) {
  // Processes that leave their group and session, as a database that was started by its supervisor.
  std::string marker = "7" + std::to_string(getpid()) + "7";
  Create(PodPath(), Shell("setsid sleep " + marker + " & setsid sleep " + marker + " & wait"));
  ASSERT_TRUE(Eventually([&] { return CountProcesses(marker) == 2 && PidOf("p") > 0; }));
  kill(PidOf("p"), SIGKILL);
  ASSERT_TRUE(Eventually([&] { return Container("p")["restartCount"] == 1 && CountProcesses(marker) == 2; }));
  Json last = Container("p")["lastState"]["terminated"];
  EXPECT_EQ(last["exitCode"], 137);
  EXPECT_EQ(last["signal"], 9);
  EXPECT_THAT(last["containerID"].get<std::string>(), HasSubstr("process://"));
  runner_.reset();
  EXPECT_EQ(CountProcesses(marker), 0);
}

TEST_F(ContainedPodTest, SignalsReachTheProgramAndItsEndIsTold) {
  Create(PodPath(), Shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"));
  ASSERT_TRUE(Eventually([&] { return Log() == "ready\n" && PidOf("p") > 0; }));
  kill(PidOf("p"), SIGTERM);
  EXPECT_TRUE(Eventually([&] { return Container("p")["restartCount"] == 1; }));
  EXPECT_EQ(Container("p")["lastState"]["terminated"]["exitCode"], 7);
}

TEST_F(ContainedPodTest, InitContainersRunOneByOneBeforeTheOthers) {
  Json pod = Shell("cat /w/trace", {{"volumeMounts", {{{"name", "w"}, {"mountPath", "/w"}}}}});
  pod["spec"]["volumes"] = Json::parse(R"([{"name":"w","emptyDir":{}}])");
  pod["spec"]["initContainers"] = Json::parse(R"([
    {"name":"one","image":"i","command":["/bin/sh","-c","echo one >> /w/trace"],
     "volumeMounts":[{"name":"w","mountPath":"/w"}]},
    {"name":"two","image":"i","command":["/bin/sh","-c","echo two >> /w/trace"],
     "volumeMounts":[{"name":"w","mountPath":"/w"}]}])");
  EXPECT_EQ(OutputOf(pod), "one\ntwo\n");
  Json status = Get(PodPath("p")).body["status"];
  EXPECT_EQ(status["initContainerStatuses"][1]["state"]["terminated"]["reason"], "Completed");
  EXPECT_EQ(status["phase"], "Succeeded");
}

TEST_F(ContainedPodTest, AFailedInitContainerFailsAPodThatIsNotRestarted) {
  Json pod = Shell("echo never");
  pod["spec"]["initContainers"] =
      Json::parse(R"([{"name":"one","image":"i","command":["/bin/sh","-c","echo gone wrong; exit 3"],
                      "terminationMessagePolicy":"FallbackToLogsOnError"}])");
  EXPECT_EQ(OutputOf(pod), "gone wrong\n");
  Json status = Get(PodPath("p")).body["status"];
  EXPECT_EQ(status["phase"], "Failed");
  EXPECT_EQ(status["initContainerStatuses"][0]["state"]["terminated"]["message"], "gone wrong\n");
  EXPECT_EQ(status["containerStatuses"][0]["state"]["waiting"]["reason"], "ContainerCreating");
}

TEST_F(ContainedPodTest, ExecProbesRunInsideTheContainer) {
  Json probe = {{"readinessProbe", {{"exec", {{"command", {"test", "-e", "/w/open"}}}}, {"periodSeconds", 1}}},
                {"volumeMounts", {{{"name", "w"}, {"mountPath", "/w"}}}}};
  Json pod = Shell("sleep 1000", probe);
  pod["spec"]["volumes"] = Json::parse(R"([{"name":"w","emptyDir":{}}])");
  Create(PodPath(), pod);
  ASSERT_TRUE(Eventually([&] { return IsRunning("p"); }));
  EXPECT_FALSE(IsReady("p"));
  std::ofstream(root_ / "pods" / UidOf(Get(PodPath("p")).body) / "volumes" / "w" / "open") << "yes";
  EXPECT_TRUE(Eventually([&] { return IsReady("p"); }));
}

TEST_F(ContainedPodTest, AProgramOfAnUninstalledPackageNamesThePackage) {
  Json pod = Shell("");
  pod["spec"]["containers"][0]["command"] = {"patroni_of_another_release"};
  Create(PodPath(), pod);
  EXPECT_TRUE(Eventually([&] {
    return TextAt(Container("p"), {"state", "waiting", "message"}).find("install the Debian package patroni") !=
           std::string::npos;
  }));
}

}  // namespace
}  // namespace holdfast::local
