// kill -9 of the process that makes a backup, at every request by which it changes something on an S3 server: in the
// middle of the request, and behind its effect. What is listed afterwards is whole, what is not is no backup and can be
// removed. The proxy holds the request, so that the moment is that one. The process is a program of its own
// (s3_backup_maker.cc): one that is only forked would have none of the HTTP library's threads.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/integration/backup_targets/target_under_test.h"
#include "tests/s3/s3_proxy.h"
#include "tests/s3/s3_server.h"
#include "tests/unit/service/backup/backup_fixture.h"

namespace holdfast::backup {
namespace {

using s3_servers::Fault;
using s3_servers::S3Proxy;
using storage::BackupAction;
using testing::Contains;

// As execve wants them.
std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

class S3Crash : public BackupFixture {
 protected:
  pid_t Start(const std::string& id) {
    const std::vector<std::string> words = {HOLDFAST_S3_BACKUP_MAKER, proxy_.url(), options_.bucket.bucket,
                                            s3_servers::SharedServer().access_key_file().parent_path().string(), id};
    const std::vector<char*> arguments = Pointers(words);
    // What it leaves behind goes with this test's folder.
    std::vector<std::string> variables = {"TMPDIR=" + folder_.string()};
    for (char** each = environ; *each != nullptr; ++each) {
      if (!std::string_view(*each).starts_with("TMPDIR=")) variables.emplace_back(*each);
    }
    const std::vector<char*> environment = Pointers(variables);
    const pid_t child = ::fork();
    if (child == 0) {
      ::execve(arguments.front(), arguments.data(), environment.data());
      ::_exit(127);
    }
    return child;
  }

  // True: it came to its end before so many requests that change something.
  bool SurvivesTo(int request, Fault moment, const std::string& id) {
    proxy_.Strike([=, changes = 0](int, const std::string& head) mutable {
      if (head.starts_with("GET ")) return Fault::kNone;
      return changes++ == request ? moment : Fault::kNone;
    });
    const pid_t child = Start(id);
    const Deadline patience = Deadline::After(std::chrono::minutes{2});
    int status = 0;
    while (!proxy_.AwaitHeld(Deadline::After(std::chrono::milliseconds{5}))) {
      if (::waitpid(child, &status, WNOHANG) == child) {
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "it failed instead";
        return true;
      }
      if (patience.Expired()) break;
    }
    EXPECT_FALSE(patience.Expired()) << "it neither sends the request nor ends";
    ::kill(child, SIGKILL);
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    proxy_.Strike(nullptr);
    return false;
  }

  const S3TargetOptions options_ = [] {
    S3TargetOptions options = FreshBucket("conditional");
    options.prefix.clear();
    return options;
  }();
  S3Proxy proxy_{s3_servers::SharedServer().port()};
};

TEST_F(S3Crash, AtEveryChangeThatABackupMakes_fault) {
  backup_options_.retention.keep_last = 1'000;
  const auto target = std::shared_ptr<Target>(MakeS3Target(options_, "main"));
  const auto backups = OpenBackups(target);
  int deaths = 0;
  int whole = 0;
  for (const Fault moment : {Fault::kHoldInMiddle, Fault::kHoldAnswer}) {
    for (int request = 0;; ++request) {
      ASSERT_LT(request, 50);
      const std::string id = fmt::format("m{}-{}", static_cast<int>(moment), request);
      if (SurvivesTo(request, moment, id)) break;
      ++deaths;
      const auto listed = backups->Get(id, Deadline::Infinite());
      if (listed.ok()) {
        ++whole;
        const storage::BackupRun verified = Do(*backups, BackupAction::kVerify, id);
        EXPECT_FALSE(verified.error) << id << ": " << ErrorOf(verified);
      } else {
        EXPECT_EQ(listed.error().code(), ErrorCode::kNotFound) << id;
      }
    }
  }
  // Begun, two parts, completed, the second object, what the server can do, manifest, that it is verified.
  EXPECT_GE(deaths, 16);
  EXPECT_EQ(whole, 3) << "behind the manifest, in the middle of the mark and behind it";
  clock_.JumpTo(SystemClock().Now() + std::chrono::hours{2});
  ASSERT_FALSE(Do(*backups, BackupAction::kPrune).error);
  const auto left = target->List("", Deadline::Infinite());
  ASSERT_TRUE(left.ok());
  const std::vector<std::string> ids = IdsOf(*backups->List(Deadline::Infinite()));
  EXPECT_EQ(ids.size(), 5u) << "those, and the two that nobody killed";
  for (const StoredObject& object : *left) EXPECT_THAT(ids, Contains(object.name.backup)) << "it is left behind";
}

}  // namespace
}  // namespace holdfast::backup
