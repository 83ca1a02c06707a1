// The verbs backup and restore.
#include <thread>

#include "operator/api/v1/crd.h"
#include "tests/unit/operator/kubectl/verb_fixture.h"

namespace holdfast::kubectl {
namespace {

using kube::Json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class RunVerbTest : public VerbTest {
 protected:
  void SetUp() override {
    for (const Json& definition : {api::StorageBackupDefinition(), api::StorageRestoreDefinition()}) {
      ASSERT_TRUE(bench_.user().Create(kube::kinds::kCustomResourceDefinition, definition, VerbsDeadline()).ok());
    }
    CreateReadyCluster();
  }
  static Deadline VerbsDeadline() { return Deadline::After(std::chrono::seconds(10)); }
  // As the operator would end it.
  void End(const kube::ResourceKind& kind, const std::string& name, const std::string& type) {
    Json object = bench_.Get(kind, name);
    object["status"] = {{"phase", type == "Complete" ? "Succeeded" : "Failed"},
                        {"message", "that is how it went"},
                        {"id", "b1"},
                        {"kind", "Full"},
                        {"conditions", Json::array({{{"type", type},
                                                     {"status", "True"},
                                                     {"reason", "Over"},
                                                     {"message", "that is how it went"},
                                                     {"lastTransitionTime", "2026-11-23T06:00:00Z"}}})}};
    ASSERT_TRUE(bench_.user().UpdateStatus(kind, object, VerbsDeadline()).ok());
  }
};

TEST_F(RunVerbTest, BackupMakesAStorageBackup) {
  ASSERT_EQ(Run(RunBackup,
                {"demo", "--store", "main", "--kind", "incremental", "--drill", "--deadline=30m", "--name", "nightly"}),
            0)
      << error_.str();
  EXPECT_EQ(out_.str(), "StorageBackup prod/nightly made\n");
  const Json spec = bench_.Get(kube::kinds::kStorageBackup, "nightly").at("spec");
  EXPECT_EQ(
      spec,
      Json({{"cluster", "demo"}, {"store", "main"}, {"kind", "Incremental"}, {"drill", true}, {"deadline", "30m"}}));
  ASSERT_EQ(Run(RunBackup, {"demo", "--store", "main"}), 0) << error_.str();
  EXPECT_THAT(out_.str(), HasSubstr("StorageBackup prod/demo-main-20"));
  EXPECT_EQ(Run(RunBackup, {"demo", "--store", "main", "--name", "nightly"}), 1) << "there is one of that name";
}

TEST_F(RunVerbTest, RestoreMakesAStorageRestore) {
  ASSERT_EQ(Run(RunRestore, {"demo", "--store", "main", "--backup", "nightly", "--name", "back"}), 0) << error_.str();
  EXPECT_EQ(bench_.Get(kube::kinds::kStorageRestore, "back").at("spec").at("backup"), "nightly");
  ASSERT_EQ(Run(RunRestore, {"demo", "--store", "main", "--id", "b1", "--name", "back-2"}), 0) << error_.str();
  EXPECT_EQ(bench_.Get(kube::kinds::kStorageRestore, "back-2").at("spec").at("backupId"), "b1");
  ASSERT_EQ(Run(RunRestore, {"demo", "--store", "main", "--to-time", "2026-11-23T10:15:30.250Z", "--name", "back-3"}),
            0)
      << error_.str();
  EXPECT_EQ(bench_.Get(kube::kinds::kStorageRestore, "back-3").at("spec"),
            Json({{"cluster", "demo"}, {"store", "main"}, {"toTime", "2026-11-23T10:15:30.250Z"}, {"deadline", "2h"}}));
  ASSERT_EQ(Run(RunRestore, {"demo", "--store", "main", "--id", "b1", "--source-store", "theirs", "--name", "back-4"}),
            0)
      << error_.str();
  EXPECT_EQ(bench_.Get(kube::kinds::kStorageRestore, "back-4").at("spec").at("sourceStore"), "theirs");
  EXPECT_EQ(Run(RunRestore, {"demo", "--store", "main", "--source-store", "theirs"}), 2) << "of which backup";
  EXPECT_EQ(Run(RunRestore, {"demo", "--store", "main", "--to-time", "yesterday"}), 2);
  EXPECT_THAT(error_.str(), HasSubstr("--to-time 'yesterday' is not an RFC 3339 time"));
  ASSERT_EQ(Run(RunRestore, {"demo", "--list"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("2026-11-23T10:15:30.250Z"));
}

TEST_F(RunVerbTest, WhatIsAskedWronglySaysWhatToDo) {
  for (const Arguments& wrong : {Arguments{}, Arguments{"demo"}, Arguments{"--store", "main"}}) {
    EXPECT_EQ(Run(RunBackup, wrong), 2);
    EXPECT_THAT(error_.str(), HasSubstr("backup CLUSTER --store STORE"));
  }
  EXPECT_EQ(Run(RunBackup, {"demo", "--store", "main", "--kind", "differential"}), 2);
  EXPECT_THAT(error_.str(), HasSubstr("full or incremental"));
  EXPECT_EQ(Run(RunBackup, {"demo", "--store", "main", "--wait", "--timeout", "soon"}), 2);
  EXPECT_EQ(Run(RunBackup, {"other", "--store", "main"}), 1);
  EXPECT_THAT(error_.str(), HasSubstr("other"));
  for (const Arguments& wrong :
       {Arguments{"demo", "--store", "main"}, Arguments{"demo", "--backup", "a"},
        Arguments{"demo", "--store", "main", "--backup", "a", "--id", "b"},
        Arguments{"demo", "--store", "main", "--id", "b", "--to-time", "2026-11-23T10:15:30Z"}}) {
    EXPECT_EQ(Run(RunRestore, wrong), 2);
    EXPECT_THAT(error_.str(), HasSubstr("one backup"));
  }
}

TEST_F(RunVerbTest, WaitingGivesUpWithTheRemedy) {
  ASSERT_EQ(Run(RunBackup, {"demo", "--store", "main", "--name", "slow", "--wait", "--timeout", "0s"}), 1);
  EXPECT_THAT(error_.str(), AllOf(HasSubstr("Pending"), HasSubstr("is not over")));
}

// The operator ends it while the verb looks.
TEST_F(RunVerbTest, WaitingEndsWithTheObject) {
  for (const char* type : {"Complete", "Failed"}) {
    std::thread operator_thread([&] {
      const Deadline patience = Deadline::After(std::chrono::seconds(60));
      while (bench_.Get(kube::kinds::kStorageBackup, type == std::string("Failed") ? "bad" : "good").is_null() &&
             !patience.Expired()) {
        std::this_thread::yield();
      }
      End(kube::kinds::kStorageBackup, type == std::string("Failed") ? "bad" : "good", type);
    });
    const bool fails = type == std::string("Failed");
    const int status = Run(RunBackup, {"demo", "--store", "main", "--name", fails ? "bad" : "good", "--wait"});
    operator_thread.join();
    EXPECT_EQ(status, fails ? 1 : 0);
    EXPECT_THAT(fails ? error_.str() : out_.str(), HasSubstr("that is how it went"));
  }
}

TEST_F(RunVerbTest, ListsWhatThereIs) {
  ASSERT_EQ(Run(RunBackup, {"--list"}), 0);
  EXPECT_THAT(error_.str(), HasSubstr("there is no StorageBackup in namespace prod"));
  ASSERT_EQ(Run(RunBackup, {"demo", "--store", "main", "--name", "nightly"}), 0);
  ASSERT_EQ(Run(RunBackup, {"demo", "--store", "main", "--name", "weekly"}), 0);
  End(kube::kinds::kStorageBackup, "nightly", "Complete");
  ASSERT_EQ(Run(RunBackup, {"--list"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("NAME"), HasSubstr("Succeeded"), HasSubstr("b1"), HasSubstr("weekly"),
                                HasSubstr("Pending"), HasSubstr("that is how it went")));
  ASSERT_EQ(Run(RunBackup, {"other", "--list"}), 0);
  EXPECT_THAT(out_.str(), Not(HasSubstr("nightly")));
  ASSERT_EQ(Run(RunRestore, {"demo", "--list"}), 0);
  EXPECT_THAT(error_.str(), HasSubstr("StorageRestore"));
}

TEST_F(RunVerbTest, Help) {
  for (const auto verb : {RunBackup, RunRestore}) {
    ASSERT_EQ(Run(verb, {"--help"}), 0);
    for (const char* flag : {"--store", "--name", "--deadline", "--wait", "--timeout", "--list", "--namespace"}) {
      EXPECT_THAT(out_.str(), HasSubstr(flag));
    }
  }
}

}  // namespace
}  // namespace holdfast::kubectl
