#include <sstream>

#include "base/config/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/cli/commands.h"

namespace holdfast::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CrdCommandTest : public ::testing::Test {
 protected:
  int Run(const Arguments& arguments) { return RunCrd(arguments, {in_, out_, error_}); }
  std::vector<std::string> Kinds() {
    const auto documents = config::ParseYamlDocuments(out_.str(), "crd");
    EXPECT_TRUE(documents.ok());
    std::vector<std::string> kinds;
    for (const auto& one : *documents) kinds.push_back(one.at("spec").at("names").at("kind"));
    return kinds;
  }
  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream error_;
};

TEST_F(CrdCommandTest, PrintsEveryDefinition) {
  ASSERT_EQ(Run({}), 0);
  EXPECT_THAT(Kinds(), ElementsAre("StorageCluster", "StorageMigration", "StorageBackup", "StorageRestore"));
}

TEST_F(CrdCommandTest, PrintsTheOneThatIsNamed) {
  ASSERT_EQ(Run({"StorageMigration"}), 0);
  EXPECT_THAT(Kinds(), ElementsAre("StorageMigration"));
}

TEST_F(CrdCommandTest, PrintsAReference) {
  ASSERT_EQ(Run({"StorageMigration", "--reference"}), 0);
  EXPECT_THAT(out_.str(), StartsWith("# StorageMigration"));
  out_.str("");
  ASSERT_EQ(Run({"--reference"}), 0);
  EXPECT_THAT(out_.str(), StartsWith("# StorageCluster"));
}

TEST_F(CrdCommandTest, RefusesAKindThatThereIsNot) {
  EXPECT_EQ(Run({"StorageThing"}), 2);
  EXPECT_THAT(error_.str(), HasSubstr("name StorageCluster, StorageMigration, StorageBackup or StorageRestore"));
}

}  // namespace
}  // namespace holdfast::cli
