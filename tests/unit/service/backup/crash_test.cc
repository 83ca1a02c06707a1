// kill -9 at every step that a run makes on its target: what is listed afterwards is whole, what is not is no backup,
// and neither gets into the way of the next one. The step is where the process kills itself.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "tests/unit/service/backup/backup_fixture.h"

namespace holdfast::backup {
namespace {

using storage::BackupAction;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

enum class Moment { kBefore, kMiddle, kAfter };

// Ends the process at the call of that number: before it, behind it, or in it where it writes.
class Deadly final : public Target {
 public:
  // `looks`: calls that change nothing count too.
  Deadly(std::shared_ptr<Target> target, std::filesystem::path folder, int calls, Moment moment, bool looks)
      : target_(std::move(target)), folder_(std::move(folder)), calls_(calls), moment_(moment), looks_(looks) {}

  std::string Describe() const override { return target_->Describe(); }
  Status Put(const ObjectName& name, std::string_view bytes, Deadline deadline) override {
    return Write(name, name.object + ".partial", bytes, [&] { return target_->Put(name, bytes, deadline); });
  }
  Status PutNew(const ObjectName& name, std::string_view bytes, Deadline deadline) override {
    return Write(name, "new-0123456789abcdef", bytes, [&] { return target_->PutNew(name, bytes, deadline); });
  }
  Result<std::string> Get(const ObjectName& name, std::size_t most, Deadline deadline) override {
    if (looks_ && calls_-- == 0) std::raise(SIGKILL);
    return target_->Get(name, most, deadline);
  }
  Result<std::vector<StoredObject>> List(std::string_view prefix, Deadline deadline) override {
    if (looks_ && calls_-- == 0) std::raise(SIGKILL);
    return target_->List(prefix, deadline);
  }
  Status Delete(const ObjectName& name, Deadline deadline) override {
    const bool last = calls_-- == 0;
    if (last && moment_ != Moment::kAfter) std::raise(SIGKILL);
    Status deleted = target_->Delete(name, deadline);
    if (last) std::raise(SIGKILL);
    return deleted;
  }

 private:
  // `half`: the name of what a folder has in the middle of it.
  Status Write(const ObjectName& name, const std::string& half, std::string_view bytes,
               const std::function<Status()>& put) {
    const bool last = calls_-- == 0;
    if (last && moment_ == Moment::kMiddle) {
      std::filesystem::create_directories(folder_ / name.backup);
      durability::WriteFile(folder_ / name.backup / half, bytes.substr(0, bytes.size() / 2));
    }
    if (last && moment_ != Moment::kAfter) std::raise(SIGKILL);
    Status written = put();
    if (last) std::raise(SIGKILL);
    return written;
  }

  const std::shared_ptr<Target> target_;
  const std::filesystem::path folder_;
  int calls_;
  const Moment moment_;
  const bool looks_;
};

class BackupCrash : public BackupFixture {
 protected:
  BackupCrash() {
    PutSome("v");
    backup_options_.retention.keep_last = 1;
  }

  // Does it in a process that dies at the call; true: it came to the end before. That process has a store of its own
  // with the same content: of this one's threads it has none.
  bool SurvivesTo(BackupAction action, const std::string& id, int call, Moment moment) {
    const pid_t child = ::fork();
    if (child == 0) {
      const std::shared_ptr<storage::Backend> parents = backend_;
      const ManualClock clock;
      metrics::Registry registry;
      backend_ = storage::MakeMemoryBackend({}, clock);
      PutSome("v");
      const auto store = std::make_shared<durability::Checkpoints>(backend_, "main", options_, clock, registry);
      const auto target =
          std::make_shared<Deadly>(OpenTarget(), folder_ / "backups" / "main", call, moment, looks_count_);
      Backups backups({backend_, "main"}, target, store, backup_options_, clock, registry);
      const storage::BackupRun run = Do(backups, action, id);
      ::_exit(run.error ? 1 : 0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << "it failed instead";
    EXPECT_TRUE(WIFEXITED(status) || WTERMSIG(status) == SIGKILL);
    return WIFEXITED(status);
  }

  bool looks_count_ = true;

  // Every backup that is listed can be restored; what else lies there is not in the way and can be removed.
  void ExpectSound(const std::string& what) {
    const auto backups = OpenBackups();
    const auto all = backups->List(Deadline::Infinite());
    ASSERT_TRUE(all.ok()) << what;
    for (const storage::BackupInfo& info : *all) {
      EXPECT_EQ(info.damage, "") << what;
      EXPECT_TRUE(Read(info.id).ok()) << what;
    }
    clock_.Advance(std::chrono::hours{1});
    ASSERT_FALSE(Create(*backups, "next").error) << what;
    clock_.JumpTo(SystemClock().Now() + std::chrono::hours{2});
    ASSERT_FALSE(Do(*backups, BackupAction::kPrune).error) << what;
    std::vector<std::string> left;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "backups" / "main")) {
      left.push_back(entry.path().filename().string());
    }
    EXPECT_THAT(left, Contains("next")) << what;
    for (const std::string& id : left) EXPECT_TRUE(backups->Get(id, Deadline::Infinite()).ok()) << what << ": " << id;
  }
};

TEST_F(BackupCrash, WhileOneIsMade_fault) {
  int deaths = 0;
  for (const Moment moment : {Moment::kBefore, Moment::kMiddle, Moment::kAfter}) {
    for (int call = 0;; ++call) {
      ASSERT_LT(call, 200);
      std::filesystem::remove_all(folder_ / "backups");
      clock_.JumpTo(Timestamp{std::chrono::seconds{1'700'000'000}});
      if (SurvivesTo(BackupAction::kCreate, "one", call, moment)) break;
      ++deaths;
      ExpectSound("call " + std::to_string(call) + " at moment " + std::to_string(static_cast<int>(moment)));
    }
  }
  EXPECT_GT(deaths, 15);
}

// It is never taken for whole, and what it builds on stays as it is.
TEST_F(BackupCrash, WhileAnIncrementIsMade_fault) {
  looks_count_ = false;
  backup_options_.retention.keep_last = 9;
  int deaths = 0;
  int whole = 0;
  for (const Moment moment : {Moment::kBefore, Moment::kMiddle, Moment::kAfter}) {
    for (int call = 0;; ++call) {
      ASSERT_LT(call, 200);
      std::filesystem::remove_all(folder_ / "backups");
      clock_.JumpTo(Timestamp{std::chrono::seconds{1'700'000'000}});
      PutSome("before");
      ASSERT_FALSE(Create(*OpenBackups(), "full").error);
      if (SurvivesTo(BackupAction::kIncrement, "one", call, moment)) break;
      ++deaths;
      EXPECT_TRUE(Read("full").ok());
      const auto one = OpenBackups()->Get("one", Deadline::Infinite());
      if (one.ok()) {
        ++whole;
        EXPECT_EQ(one->parent, "full");
      }
      ExpectSound("call " + std::to_string(call) + " at moment " + std::to_string(static_cast<int>(moment)));
    }
  }
  EXPECT_GT(deaths, 15);
  EXPECT_GT(whole, 0) << "the control: it died behind its manifest too";
}

TEST_F(BackupCrash, WhileOldOnesAreRemoved_fault) {
  int deaths = 0;
  for (const Moment moment : {Moment::kBefore, Moment::kAfter}) {
    for (int call = 0;; ++call) {
      ASSERT_LT(call, 200);
      std::filesystem::remove_all(folder_ / "backups");
      clock_.JumpTo(Timestamp{std::chrono::seconds{1'700'000'000}});
      backup_options_.retention.keep_last = 9;
      for (const char* id : {"a", "b"}) {
        ASSERT_FALSE(Create(*OpenBackups(), id).error);
        clock_.Advance(std::chrono::hours{1});
      }
      backup_options_.retention.keep_last = 1;
      if (SurvivesTo(BackupAction::kPrune, "", call, moment)) break;
      ++deaths;
      EXPECT_TRUE(Read("b").ok());
      ExpectSound("call " + std::to_string(call));
    }
  }
  EXPECT_GT(deaths, 10);
}

TEST_F(BackupCrash, WhileOneIsFetchedForARestore_fault) {
  ASSERT_FALSE(Create(*OpenBackups(), "one").error);
  Put("k1", "after");
  const auto now = Rows();
  int deaths = 0;
  for (int call = 0; !SurvivesTo(BackupAction::kRestore, "one", call, Moment::kBefore); ++call) {
    ASSERT_LT(call, 200);
    ++deaths;
    const auto recovered = Open();
    EXPECT_EQ(Rows(), now);
    EXPECT_THAT(Files(), IsEmpty()) << "call " << call;
  }
  EXPECT_GT(deaths, 3);
  EXPECT_TRUE(Read("one").ok());
}

}  // namespace
}  // namespace holdfast::backup
