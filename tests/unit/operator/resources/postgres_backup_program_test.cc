// backup.py of the pod of a repository, by the machine's own Python: what it is asked for and what it tells, without
// its connections.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "operator/resources/names.h"
#include "operator/resources/postgres.h"
#include "tests/unit/operator/kube/temporary_directory.h"

namespace holdfast::resources {
namespace {

using kube::Json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Behind the program, in place of the call of main(): `Ask` is answered when what was begun has ended.
constexpr char kBehind[] = R"(
environment["PATH"] = os.path.join(REPOSITORY, "bin")


def ask(wish):
    try:
        code, told = begin(wish)
    except Exception as error:
        code, told = 500, {"message": str(error)}
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join()
    with open(state_file()) as file:
        kept = json.load(file)
    answers.append(json.loads(json.dumps({"code": code, "message": told["message"], "state": tell(), "kept": kept})))


answers = []
)";
constexpr char kTell[] = R"(
with open(os.path.join(REPOSITORY, "told"), "w") as file:
    json.dump(answers, file)
)";

class BackupProgramTest : public ::testing::Test {
 protected:
  BackupProgramTest() {
    api::StorageCluster cluster;
    cluster.ns = "prod";
    cluster.name = "demo";
    api::PostgresBackend postgres;
    postgres.storage_size = "20Gi";
    postgres.backup = api::PostgresBackup{.storage_size = "50Gi", .full_schedule = "30 1 * * 0"};
    cluster.spec.backends = {{"db", postgres}};
    program_ = BackendFiles(cluster, cluster.spec.backends[0]).at(kBackupProgram).get<std::string>();
    const std::string start = "\nmain()\n";
    EXPECT_TRUE(program_.ends_with(start));
    program_.resize(program_.size() - start.size());
    std::filesystem::create_directories(folder_.Path("bin"));
  }

  // `script`: for all that is no question.
  void PgBackRest(const std::string& script) const {
    const std::string file = folder_.Write(
        "bin/pgbackrest", "#!/bin/sh\nfor word; do [ \"$word\" = info ] && echo '[]' && exit 0; done\n" + script);
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  }

  // What `steps`, lines of Python, have appended to the answers.
  Json Run(const std::string& steps) const {
    const std::string program = folder_.Write("program.py", program_ + kBehind + steps + kTell);
    const std::string command = "TLS_DIR=/none REPOSITORY_DIR=" + folder_.Path("") + " python3 " + program +
                                " repository 127.0.0.1 1 >" + folder_.Path("said") + " 2>&1";
    const int status = std::system(command.c_str());
    std::ifstream said(folder_.Path("said"));
    EXPECT_EQ(WEXITSTATUS(status), 0) << std::string(std::istreambuf_iterator<char>(said), {});
    std::ifstream told(folder_.Path("told"));
    return Json::parse(told, nullptr, false);
  }

  const kube::TemporaryDirectory folder_;
  std::string program_;
};

void ExpectFailed(const Json& answer, const std::string& command, int failures, const std::string& why) {
  EXPECT_EQ(answer.at("code"), 202) << answer;
  EXPECT_TRUE(answer.at("state").at("running").is_null()) << answer;
  const Json& attempt = answer.at("state").at("attempts").at(command);
  EXPECT_TRUE(attempt.at("ended").is_string()) << answer;
  EXPECT_EQ(attempt.at("ok"), false) << answer;
  EXPECT_EQ(attempt.at("failures"), failures) << answer;
  EXPECT_THAT(attempt.at("message").get<std::string>(), HasSubstr(why));
  EXPECT_EQ(answer.at("kept"), answer.at("state").at("attempts")) << "the next container tells it too";
}

constexpr char kStanza[] = "ask({'command': 'stanza-create'})\n";
constexpr char kRemove[] = "os.remove(os.path.join(REPOSITORY, 'bin', 'pgbackrest'))\n";

TEST_F(BackupProgramTest, AProgramThatCannotBeRunIsAFailedAttemptAndTheNextOneIsMade) {
  const std::string path = "os.path.join(REPOSITORY, 'bin', 'pgbackrest')";
  const Json told =
      Run(std::string(kStanza) + "ask({'command': 'backup', 'type': 'full'})\n" + kStanza + "open(" + path +
          ", 'w').write('#!/bin/sh\\n')\n" + kStanza + "os.chmod(" + path + ", 0o700)\n" + kStanza);
  ASSERT_EQ(told.size(), 5U) << told;
  ExpectFailed(told[0], "stanza-create", 1, "No such file");
  ExpectFailed(told[1], "backup", 1, "No such file");
  ExpectFailed(told[2], "stanza-create", 2, "No such file");
  ExpectFailed(told[3], "stanza-create", 3, "Permission denied");
  EXPECT_EQ(told[4].at("code"), 202);
  EXPECT_TRUE(told[4].at("state").at("running").is_null());
  const Json& last = told[4].at("state").at("attempts").at("stanza-create");
  EXPECT_EQ(last.at("ok"), true) << last;
  EXPECT_EQ(last.at("failures"), 0);
  EXPECT_THAT(last.at("message").get<std::string>(), IsEmpty());
}

TEST_F(BackupProgramTest, WhatItSaysBeforeItFailsIsToldAlsoWhereItIsNoText) {
  PgBackRest("printf 'P00   INFO: \\377\\nP00  ERROR: [056]: no \\376 database\\n'\nexit 56\n");
  const Json told = Run(std::string(kStanza) + kRemove + kStanza);
  ASSERT_EQ(told.size(), 2U) << told;
  ExpectFailed(told[0], "stanza-create", 1, "database");
  ExpectFailed(told[1], "stanza-create", 2, "No such file");
}

// The control: what is under way hinders.
TEST_F(BackupProgramTest, OneThatIsUnderWayHindersOthersUntilItHasEnded) {
  PgBackRest("read -r word < \"$REPOSITORY_DIR/fifo\"\n");
  const Json told = Run(R"(
fifo = os.path.join(REPOSITORY, "fifo")
os.mkfifo(fifo)
first, second = begin({"command": "stanza-create"})[0], begin({"command": "backup", "type": "full"})[0]
answers.append([first, second, tell()["running"]])
with open(fifo, "w") as file:
    file.write("go on\n")
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
answers.append(tell()["running"])
)");
  ASSERT_EQ(told.size(), 2U) << told;
  EXPECT_EQ(told[0][0], 202);
  EXPECT_EQ(told[0][1], 409);
  EXPECT_TRUE(told[0][2].is_object());
  EXPECT_TRUE(told[1].is_null());
}

TEST_F(BackupProgramTest, OneThatTakesTooLongIsAFailedAttempt) {
  PgBackRest("exec /bin/sleep 600\n");
  const Json told = Run("ask({'command': 'stanza-create', 'seconds': 0})\n");
  ASSERT_EQ(told.size(), 1U) << told;
  ExpectFailed(told[0], "stanza-create", 1, "not done after 0 s");
}

// Nothing of a wish that cannot be understood is under way.
TEST_F(BackupProgramTest, AWishThatMakesNoSenseHindersNoOther) {
  PgBackRest("");
  const Json told = Run(std::string(kStanza) + "ask({'command': 'stanza-create', 'seconds': 'soon'})\n" + kStanza);
  ASSERT_EQ(told.size(), 3U) << told;
  EXPECT_EQ(told[1].at("code"), 500);
  EXPECT_TRUE(told[1].at("state").at("running").is_null()) << told[1];
  EXPECT_EQ(told[2].at("code"), 202);
}

}  // namespace
}  // namespace holdfast::resources
