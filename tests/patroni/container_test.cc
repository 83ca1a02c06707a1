#include "tests/patroni/container.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "tests/waiting/eventually.h"

namespace holdfast::patroni_cluster {
namespace {

class ContainerTest : public testing::Test {
 protected:
  void Run(const std::string& script) {
    container_ =
        Container::Start(*sandbox_, {"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin"}, sandbox_->folder() / "log")
            .value();
  }
  pid_t PidIn(const std::string& file) {
    pid_t pid = 0;
    EXPECT_TRUE(Eventually([&] { return static_cast<bool>(std::ifstream(sandbox_->folder() / file) >> pid); }));
    return pid;
  }
  static bool Gone(pid_t pid) { return kill(pid, 0) != 0; }

  std::unique_ptr<postgres_servers::Sandbox> sandbox_ = postgres_servers::Sandbox::Make().value();
  std::unique_ptr<Container> container_;
};

TEST_F(ContainerTest, what_left_its_parent_dies_with_the_first_process) {
  Run("(setsid sh -c 'echo $$ > orphan; sleep 600' &) ; until [ -s orphan ]; do sleep 0.01; done; exit 7");
  const pid_t orphan = PidIn("orphan");
  ASSERT_TRUE(Eventually([&] { return container_->ExitCode().has_value(); }));
  EXPECT_EQ(container_->ExitCode(), 7);
  EXPECT_TRUE(Gone(orphan));
}

TEST_F(ContainerTest, kill_reaches_all_of_a_frozen_tree) {
  Run("(setsid sh -c 'echo $$ > orphan; sleep 600' &) ; sleep 600");
  const pid_t orphan = PidIn("orphan");
  container_->Freeze();
  EXPECT_FALSE(container_->ExitCode());
  container_->Kill();
  ASSERT_TRUE(Eventually([&] { return container_->ExitCode().has_value(); }));
  EXPECT_EQ(container_->ExitCode(), 128 + SIGKILL);
  EXPECT_TRUE(Gone(orphan));
}

TEST_F(ContainerTest, terminate_is_for_the_first_process) {
  Run("trap 'exit 3' TERM; echo $$ > first; while :; do sleep 0.01; done");
  PidIn("first");
  container_->Terminate();
  ASSERT_TRUE(Eventually([&] { return container_->ExitCode().has_value(); }));
  EXPECT_EQ(container_->ExitCode(), 3);
}

}  // namespace
}  // namespace holdfast::patroni_cluster
