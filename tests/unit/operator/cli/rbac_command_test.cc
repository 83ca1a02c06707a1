#include <sstream>

#include "base/config/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/cli/commands.h"

namespace holdfast::cli {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RbacCommandTest : public ::testing::Test {
 protected:
  int Run(const Arguments& arguments) { return RunRbac(arguments, {in_, out_, error_}); }
  // "ClusterRole holdfast-operator", "Role holdfast-operator in blue", ...
  std::vector<std::string> Objects() {
    const auto documents = config::ParseYamlDocuments(out_.str(), "rbac");
    EXPECT_TRUE(documents.ok());
    std::vector<std::string> names;
    for (const json& one : documents.value()) {
      const json& metadata = one.at("metadata");
      std::string name = one.at("kind").get<std::string>() + " " + metadata.at("name").get<std::string>();
      if (metadata.contains("namespace")) name += " in " + metadata.at("namespace").get<std::string>();
      names.push_back(std::move(name));
    }
    return names;
  }
  json Rules() {
    const auto documents = config::ParseYamlDocuments(out_.str(), "rules");
    EXPECT_TRUE(documents.ok());
    return documents->front();
  }
  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream error_;
};

TEST_F(RbacCommandTest, OfTheWholeClusterByDefault) {
  ASSERT_EQ(Run({}), 0);
  EXPECT_THAT(Objects(),
              ElementsAre("ServiceAccount holdfast-operator in holdfast-system", "ClusterRole holdfast-operator",
                          "ClusterRoleBinding holdfast-operator", "Role holdfast-operator-lease in holdfast-system",
                          "RoleBinding holdfast-operator-lease in holdfast-system"));
}

TEST_F(RbacCommandTest, OfNamespacesOnlyWithoutAnythingClusterWide) {
  ASSERT_EQ(Run({"-n", "green", "--namespace=blue", "-n", "green", "--operator-namespace=ops", "--service-account=op"}),
            0);
  EXPECT_THAT(Objects(),
              ElementsAre("ServiceAccount op in ops", "Role op in blue", "RoleBinding op in blue", "Role op in green",
                          "RoleBinding op in green", "Role op-lease in ops", "RoleBinding op-lease in ops"));
  EXPECT_THAT(out_.str(), ::testing::Not(HasSubstr("ClusterRole")));
}

TEST_F(RbacCommandTest, RulesNameVerbsAndResourcesOneByOne) {
  ASSERT_EQ(Run({"--rules"}), 0);
  const json rules = Rules();
  ASSERT_FALSE(rules.at("watched").empty());
  for (const char* part : {"watched", "own"}) {
    for (const json& rule : rules.at(part)) {
      EXPECT_EQ(rule.dump().find('*'), std::string::npos) << rule;
      for (const char* escalating : {"escalate", "bind", "impersonate", "deletecollection"}) {
        EXPECT_EQ(rule.at("verbs").dump().find(escalating), std::string::npos) << rule;
      }
    }
  }
}

TEST_F(RbacCommandTest, AnUnknownFlagIsRefused) {
  EXPECT_EQ(Run({"--everything"}), 2);
  EXPECT_THAT(error_.str(), HasSubstr("there is no flag --everything"));
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("--operator-namespace"));
}

}  // namespace
}  // namespace holdfast::cli
