#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "operator/api/v1/annotations.h"
#include "operator/kubectl/status_screen.h"
#include "tests/unit/operator/kubectl/verb_fixture.h"

namespace holdfast::kubectl {
namespace {

using kube::Json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(VerbTest, StatusTellsEverythingAboutOne) {
  CreateReadyCluster();
  ASSERT_EQ(Run(RunStatus, {"demo"}), 0) << error_.str();
  const std::string screen = out_.str();
  EXPECT_THAT(screen, HasSubstr("StorageCluster prod/demo, "));
  EXPECT_THAT(screen, HasSubstr("Serves main at http://demo.prod.svc:8080, 1/1 pods ready"));
  EXPECT_THAT(screen, HasSubstr("Ready        True   Available"));
  EXPECT_THAT(screen, HasSubstr("local  embedded  claimName=data-demo-0"));
  EXPECT_THAT(screen, HasSubstr("demo-0  state-service"));
  EXPECT_THAT(screen, Not(HasSubstr("What to look at")));
  EXPECT_EQ(error_.str(), "");
  for (std::string line, rest = screen; !rest.empty(); rest.erase(0, line.size() + 1)) {
    line = rest.substr(0, rest.find('\n'));
    EXPECT_TRUE(line.empty() || line.back() != ' ') << line;
  }
}

TEST_F(VerbTest, StatusSaysWhatToLookAt) {
  bench_.CreateCluster("demo", storagecluster::EmbeddedSpec());
  ASSERT_EQ(Run(RunStatus, {"demo"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("the operator has not looked at it yet"));
  bench_.PatchSpec("demo", {{"defaultStore", "missing"}});
  ASSERT_TRUE(bench_.Converge("demo"));
  ASSERT_EQ(Run(RunStatus, {"demo"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("What to look at\n  - spec.defaultStore"));
}

TEST_F(VerbTest, StatusAsJsonHasTheSame) {
  CreateReadyCluster();
  ASSERT_EQ(Run(RunStatus, {"demo", "-o", "json"}), 0);
  const Json report = Json::parse(out_.str());
  for (const char* field :
       {"namespace", "name", "created", "generation", "observedGeneration", "paused", "deleting", "replicas",
        "readyReplicas", "endpoint", "stores", "conditions", "backends", "pods", "events", "advice"}) {
    EXPECT_TRUE(report.contains(field)) << field;
  }
  EXPECT_EQ(report.size(), 16u) << "docs/kubectl.md lists the fields";
  EXPECT_EQ(report.at("pods").at(0).at("name"), "demo-0");
  ASSERT_EQ(Run(RunStatus, {"--output=json"}), 0);
  EXPECT_EQ(Json::parse(out_.str()).size(), 1u);
}

TEST_F(VerbTest, StatusOfAllIsATable) {
  CreateReadyCluster();
  bench_.CreateCluster("other", storagecluster::MemorySpec());
  ASSERT_EQ(Run(RunStatus, {}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("NAME   READY  PODS  STORES"));
  EXPECT_THAT(out_.str(), HasSubstr("demo   True   1/1   main"));
  EXPECT_THAT(out_.str(), HasSubstr("other  ?      0/1"));
  ASSERT_EQ(Run(RunStatus, {"--all-namespaces"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("prod       demo "));
  ASSERT_EQ(Run(RunStatus, {"-n", "empty"}), 0);
}

TEST_F(VerbTest, WhatIsNotThereIsSaid) {
  for (const Verb verb : {RunStatus, RunPlan, RunPause, RunResume, RunSwitchover}) {
    EXPECT_EQ(Run(verb, {"nobody"}), 1);
    EXPECT_THAT(error_.str(), HasSubstr("nobody"));
    EXPECT_EQ(out_.str(), "");
  }
}

TEST_F(VerbTest, WhatMakesNoSenseIsRefused) {
  for (const Verb verb : {RunStatus, RunPlan, RunPause, RunResume, RunSwitchover, RunLogs}) {
    EXPECT_EQ(Run(verb, {"demo", "other"}), 2);
    EXPECT_THAT(error_.str(), HasSubstr("other is one name too many"));
    EXPECT_EQ(Run(verb, {"demo", "--louder"}), 2);
    EXPECT_EQ(Run(verb, {"--help"}), 0);
    EXPECT_THAT(out_.str(), HasSubstr("usage: kubectl holdfast "));
    EXPECT_THAT(out_.str(), HasSubstr("--kubeconfig"));
  }
  for (const Verb verb : {RunPlan, RunPause, RunResume, RunSwitchover, RunLogs}) EXPECT_EQ(Run(verb, {}), 2);
  EXPECT_EQ(Run(RunStatus, {"-o", "yaml"}), 2);
}

TEST_F(VerbTest, PauseAndResume) {
  CreateReadyCluster();
  ASSERT_EQ(Run(RunPause, {"demo"}), 0);
  EXPECT_EQ(out_.str(), "StorageCluster prod/demo paused\n");
  EXPECT_TRUE(api::IsPaused(bench_.Cluster("demo")));
  ASSERT_TRUE(bench_.Converge("demo"));
  ASSERT_EQ(Run(RunStatus, {"demo"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr(", paused"));
  EXPECT_THAT(out_.str(), HasSubstr("kubectl holdfast resume demo"));
  ASSERT_EQ(Run(RunResume, {"demo"}), 0);
  EXPECT_FALSE(api::IsPaused(bench_.Cluster("demo")));
}

TEST_F(VerbTest, SwitchoverNeedsServersOfItsOwn) {
  CreateReadyCluster();
  EXPECT_EQ(Run(RunSwitchover, {"demo", "--to", "demo-db-1"}), 1);
  EXPECT_THAT(error_.str(), HasSubstr("has no PostgreSQL servers of its own"));
  EXPECT_FALSE(bench_.Cluster("demo").at("metadata").contains("annotations"));
}

TEST(LogsCommand, NamesThePodsOfTheCluster) {
  EXPECT_THAT(
      LogsCommand({.ns = "prod", .cluster = "demo", .kubeconfig = "/k", .since = "10m", .tail = 0, .follow = true}),
      ElementsAre("kubectl", "logs", "--all-containers", "--prefix", "--ignore-errors",
                  "--selector=storage.holdfast.dev/cluster=demo", "--namespace=prod", "--kubeconfig=/k", "--since=10m",
                  "--tail=-1", "--max-log-requests=64", "--follow"));
}

// The program itself, with a kubectl that tells how it was called.
TEST(KubectlHoldfast, LogsGoesOnAsKubectl) {
  std::string folder = (std::filesystem::temp_directory_path() / "holdfast-kubectl-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string fake = folder + "/kubectl";
  std::ofstream(fake) << "#!/bin/sh\necho \"called with $*\"\n";
  std::filesystem::permissions(fake, std::filesystem::perms::owner_all);
  const std::string command = "PATH=" + folder + ":/usr/bin:/bin " KUBECTL_HOLDFAST " logs demo -n 'a b' --tail 5";
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  char line[512] = {};
  EXPECT_NE(fgets(line, sizeof(line), pipe), nullptr);
  EXPECT_EQ(pclose(pipe), 0);
  EXPECT_THAT(line, HasSubstr("called with logs --all-containers"));
  EXPECT_THAT(line, HasSubstr("--namespace=a b --tail=5"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace holdfast::kubectl
