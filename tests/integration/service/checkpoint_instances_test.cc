// Two instances of the service on one PostgreSQL with one folder of checkpoints: neither disturbs what the other is at,
// and what one leaves half-done when it is killed the other finishes.
#include <fmt/format.h>

#include <csignal>
#include <future>

#include "tests/integration/service/many_keys.h"
#include "tests/integration/service/stand_still.h"
#include "tests/postgres/shared_server.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

constexpr int kKeys = 8'000;
const std::string kCheckpoints = "/v1/stores/main/checkpoints";

class CheckpointInstancesTest : public testing::Test {
 protected:
  void SetUp() override { MigrateUp(database_.Url()); }

  std::unique_ptr<Process> Launch(const TemporaryFolder& folder) const {
    return Service::Launch(folder,
                           fmt::format("postgres, url: \"{}\", pool_max: 4, poll_interval: 50ms", database_.Url()),
                           fmt::format("checkpoints: {{directory: {}}}\n", shared_.path().string()));
  }
  Service Start(const TemporaryFolder& folder) const { return Service(Launch(folder)); }

  bool IsThere(const std::string& name) const { return std::filesystem::exists(shared_.path() / "main" / name); }
  // Stands still in the middle of a restore.
  std::future<int> PauseInRestore(Service& service) const {
    return PauseIn(
               service, [this](int) { return IsThere("restoring"); },
               [&service](int) { return PostTo(service, kCheckpoints + "/one?action=restore"); })
        .answer;
  }

  const postgres_servers::FreshDatabase database_;
  const TemporaryFolder shared_;
  const TemporaryFolder first_folder_;
  const TemporaryFolder second_folder_;
};

TEST_F(CheckpointInstancesTest, postgres_a_second_start_leaves_the_file_that_the_first_is_writing) {
  Service first = Start(first_folder_);
  PutMany(first, kKeys, "v");
  const auto half = [this](int attempt) { return IsThere(fmt::format("c{}.checkpoint.partial", attempt)); };
  StandingStill still = PauseIn(
      first, half, [&](int attempt) { return PostTo(first, kCheckpoints, fmt::format(R"({{"id":"c{}"}})", attempt)); });
  Service second = Start(second_folder_);
  EXPECT_TRUE(half(still.attempt)) << "what another instance writes was removed";
  first.process().Signal(SIGCONT);
  EXPECT_EQ(still.answer.get(), 201);
  EXPECT_EQ(second.Json("GET", fmt::format("{}/c{}", kCheckpoints, still.attempt)).at("entry_count"), kKeys);
}

TEST_F(CheckpointInstancesTest, postgres_a_second_start_waits_for_the_restore_that_the_first_is_at) {
  Service first = Start(first_folder_);
  PutMany(first, kKeys, "before");
  ASSERT_EQ(PostTo(first, kCheckpoints, R"({"id":"one"})"), 201);
  PutMany(first, kKeys, "after");
  std::future<int> answer = PauseInRestore(first);
  std::unique_ptr<Process> starting = Launch(second_folder_);
  const auto said = [&](const char* words) { return starting->Errors().find(words) != std::string::npos; };
  ASSERT_TRUE(Eventually([&] { return said("is being restored by another instance") || said("\"serving\""); }));
  EXPECT_FALSE(said("\"serving\"")) << "half of a restore is served";
  EXPECT_TRUE(IsThere("restoring")) << "the restore was taken from the one that is at it";
  first.process().Signal(SIGCONT);
  EXPECT_EQ(answer.get(), 200);
  Service second(std::move(starting));
  EXPECT_EQ(CountOf(second, "before"), static_cast<std::size_t>(kKeys));
  // What is acknowledged from now on is not taken back.
  PutMany(second, kKeys, "later");
  EXPECT_EQ(CountOf(first, "later"), static_cast<std::size_t>(kKeys));
  EXPECT_FALSE(IsThere("restoring"));
}

TEST_F(CheckpointInstancesTest, postgres_a_restore_whose_instance_is_killed_is_finished_by_the_other_fault) {
  Service first = Start(first_folder_);
  Service second = Start(second_folder_);
  PutMany(first, kKeys, "before");
  ASSERT_EQ(PostTo(first, kCheckpoints, R"({"id":"one"})"), 201);
  PutMany(first, kKeys, "after");
  std::future<int> answer = PauseInRestore(first);
  first.process().Signal(SIGKILL);
  first.process().Wait();
  EXPECT_EQ(answer.get(), 0);
  EXPECT_TRUE(Eventually([&] { return !IsThere("restoring"); }));
  EXPECT_EQ(CountOf(second, "before"), static_cast<std::size_t>(kKeys));
}

}  // namespace
}  // namespace holdfast
