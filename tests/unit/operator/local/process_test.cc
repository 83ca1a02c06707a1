#include "operator/local/process_runner/process.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "operator/local/process_runner/pod_log.h"
#include "tests/unit/operator/local/runner_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

class ProcessTest : public testing::Test {
 protected:
  ProcessTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-process-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
  }
  ~ProcessTest() override { std::filesystem::remove_all(folder_); }
  static ProcessSpec Spec(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), HOLDFAST_POD_PROGRAM);
    return {std::move(arguments), {}, "/", STDERR_FILENO};
  }
  std::filesystem::path folder_;
};

TEST_F(ProcessTest, TellsHowItEnded) {
  auto process = Process::Start(Spec({"exit", "7"}));
  ASSERT_TRUE(process.ok());
  std::optional<ProcessExit> exit;
  ASSERT_TRUE(Eventually([&] { return (exit = process->Poll()).has_value(); }));
  EXPECT_EQ(exit->code, 7);
  EXPECT_EQ(exit->signal, 0);

  auto killed = Process::Start(Spec({"stubborn"}));
  ASSERT_TRUE(killed.ok());
  killed->Signal(SIGKILL);
  ASSERT_TRUE(Eventually([&] { return (exit = killed->Poll()).has_value(); }));
  EXPECT_EQ(exit->code, 137);
  EXPECT_EQ(exit->signal, SIGKILL);
}

TEST_F(ProcessTest, AProgramThatCannotRunIsAnErrorAndNoProcess) {
  auto process = Process::Start({{"/no/such/program"}, {}, "/", STDERR_FILENO});
  ASSERT_FALSE(process.ok());
  EXPECT_EQ(process.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
}

TEST_F(ProcessTest, HasAGroupOfItsOwnAndDiesWithItsObject) {
  pid_t pid = 0;
  {
    auto process = Process::Start(Spec({"stubborn"}));
    ASSERT_TRUE(process.ok());
    pid = process->pid();
    EXPECT_EQ(getpgid(pid), pid);
  }
  EXPECT_FALSE(ProcessExists(pid));
}

TEST_F(ProcessTest, DiesWhenItsParentIsKilled) {
  std::string file = (folder_ / "pid").string();
  auto parent = Process::Start(Spec({"child", file}));
  ASSERT_TRUE(parent.ok());
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(file); }));
  pid_t child = std::stoi(FileText(file));
  ASSERT_TRUE(ProcessExists(child));
  // Only the parent: the child is in another group.
  kill(parent->pid(), SIGKILL);
  ASSERT_TRUE(Eventually([&] { return parent->Poll().has_value(); }));
  // It may stay a zombie where no init process reaps; either way it runs no more.
  EXPECT_TRUE(Eventually([&] {
    std::string state = FileText("/proc/" + std::to_string(child) + "/stat");
    return state.empty() || state.find(") Z") != std::string::npos;
  }));
}

TEST_F(ProcessTest, InheritsNoDescriptors) {
  int open_here = open((folder_ / "held").c_str(), O_CREAT | O_WRONLY, 0600);
  ASSERT_GE(open_here, 0);
  auto process = Process::Start(Spec({"sleep"}));
  ASSERT_TRUE(process.ok());
  // An inherited descriptor stays; those of the loader, and ours until exec, go by themselves.
  EXPECT_TRUE(Eventually([&] {
    int open_there = 0;
    for (const auto& each : std::filesystem::directory_iterator("/proc/" + std::to_string(process->pid()) + "/fd")) {
      if (std::stoi(each.path().filename().string()) > STDERR_FILENO) ++open_there;
    }
    return open_there == 0;
  }));
  close(open_here);
}

TEST_F(ProcessTest, ALogIsBoundedWhileAProcessWritesIt) {
  auto log = PodLog::Open(folder_ / "log", 1000);
  ASSERT_TRUE(log.ok());
  auto process = Process::Start({{"/bin/sh", "-c", "while :; do echo 0123456789; done"}, {}, "/", log->descriptor()});
  ASSERT_TRUE(process.ok());
  std::filesystem::path older = folder_ / "log.1";
  EXPECT_TRUE(Eventually([&] {
    log->Bound();
    return std::filesystem::exists(older);
  }));
  process->Signal(SIGKILL);
  ASSERT_TRUE(Eventually([&] { return process->Poll().has_value(); }));
  log->Bound();
  EXPECT_LE(std::filesystem::file_size(folder_ / "log"), 1000u);
  EXPECT_EQ(TailOf(older, 100).substr(0, 11), "0123456789\n");
}

}  // namespace
}  // namespace holdfast::local
