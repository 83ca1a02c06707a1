// Where the checkpoints of which store lie, and what is kept of them.
#include <gmock/gmock.h>

#include "tests/unit/service/settings/loaded_settings.h"

namespace holdfast::service {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(CheckpointSettings, each_store_has_its_own_beside_what_holds_for_all) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(
      ProblemsOf({"--backends.local.type=memory", "--stores.main.backend=local", "--stores.other.backend=local",
                  "--default_store=main", "--data_dir=/data", "--checkpoints.level=3", "--checkpoints.start_wait=5s"},
                 {"--stores.main.checkpoint_interval=1h", "--stores.main.checkpoint_keep=24",
                  "--stores.main.checkpoint_keep_for=2d", "--stores.main.checkpoint_at_shutdown=true"},
                 &settings),
      IsEmpty());
  ASSERT_EQ(settings->stores.size(), 2u);
  for (const StoreSettings& store : settings->stores) {
    const durability::CheckpointOptions& options = store.checkpoints;
    const bool main = store.name == "main";
    EXPECT_EQ(options.directory, "/data/checkpoints");
    EXPECT_EQ(options.writer.level, 3);
    EXPECT_EQ(options.start_wait, std::chrono::seconds{5});
    EXPECT_EQ(options.interval, main ? std::chrono::hours{1} : std::chrono::hours{0});
    EXPECT_EQ(options.retention.keep, main ? 24u : 10u);
    EXPECT_EQ(options.retention.keep_for, main ? std::chrono::hours{48} : std::chrono::hours{0});
    EXPECT_EQ(options.at_shutdown, main);
  }
}

TEST(CheckpointSettings, a_store_that_nobody_named_has_them_too) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf({"--backends.local.type=memory"}, {"--checkpoints.directory=/elsewhere"}, &settings),
              IsEmpty());
  ASSERT_EQ(settings->stores.size(), 1u);
  EXPECT_EQ(settings->stores.front().checkpoints.directory, "/elsewhere");
}

TEST(CheckpointSettings, none_is_kept_is_refused) {
  EXPECT_THAT(
      ProblemsOf({"--backends.local.type=memory", "--stores.main.backend=local"}, {"--stores.main.checkpoint_keep=0"}),
      HasSubstr("checkpoint_keep"));
}

}  // namespace
}  // namespace holdfast::service
