#include <sstream>

#include "base/config/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/cli/commands.h"

namespace holdfast::cli {
namespace {

using ::testing::HasSubstr;

const std::string kSample = std::string(HOLDFAST_SOURCE_DIR) + "/crds/samples/embedded.yaml";

class PlanCommandTest : public ::testing::Test {
 protected:
  int Run(const Arguments& arguments, const std::string& input = "") {
    in_.str(input);
    return RunPlan(arguments, {in_, out_, error_});
  }
  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream error_;
};

TEST_F(PlanCommandTest, PrintsEveryObjectAsYaml) {
  ASSERT_EQ(Run({"-f", kSample, "-n", "prod", "--service-image=registry/holdfast:7"}), 0) << error_.str();
  const auto documents = config::ParseYamlDocuments(out_.str(), "plan");
  ASSERT_TRUE(documents.ok()) << documents.error().message();
  std::vector<std::string> kinds;
  for (const auto& document : *documents) {
    kinds.push_back(document.at("kind").get<std::string>());
    EXPECT_EQ(document.at("metadata").at("namespace"), "prod");
  }
  EXPECT_THAT(kinds, ::testing::ElementsAre("ServiceAccount", "ConfigMap", "Service", "Service", "PodDisruptionBudget",
                                            "StatefulSet"));
  const auto& containers = documents->back().at("spec").at("template").at("spec").at("containers");
  EXPECT_EQ(containers.at(0).at("image"), "registry/holdfast:7");
}

TEST_F(PlanCommandTest, ReportsEverythingThatIsWrongWithItsPath) {
  const int status = Run({"-f", "-"}, R"(
apiVersion: storage.holdfast.dev/v1
kind: StorageCluster
metadata: {name: demo}
spec:
  backends: [{name: local, postgres: {}}]
  stores: [{name: main, backend: other}, {name: Bad, backend: local}]
)");
  EXPECT_EQ(status, 1);
  EXPECT_EQ(out_.str(), "");
  EXPECT_THAT(error_.str(), HasSubstr("standard input, object 1: spec.backends[0].postgres: "));
  EXPECT_THAT(error_.str(), HasSubstr("spec.stores[1].name: "));
}

TEST_F(PlanCommandTest, WhatIsNoYamlOrNothingAtAllIsRefused) {
  EXPECT_EQ(Run({"-f", "-"}, "a: [b"), 1);
  EXPECT_THAT(error_.str(), HasSubstr("standard input:1"));
  EXPECT_EQ(Run({"-f", "-"}, ""), 1);
}

TEST_F(PlanCommandTest, WrongQuestionsEndWithTwo) {
  EXPECT_EQ(Run({}), 2);
  EXPECT_EQ(Run({"--bogus"}), 2);
  EXPECT_EQ(Run({"-f", "/does/not/exist.yaml"}), 2);
  EXPECT_THAT(error_.str(), HasSubstr("cannot read /does/not/exist.yaml"));
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("--filename"));
}

// The program ended by an exception.
TEST_F(PlanCommandTest, AFolderIsRefused) {
  EXPECT_EQ(Run({"-f", "/"}), 2);
  EXPECT_THAT(error_.str(), HasSubstr("cannot read /: Is a directory"));
}

}  // namespace
}  // namespace holdfast::cli
