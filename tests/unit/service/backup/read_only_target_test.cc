#include "service/backup/read_only_target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/service/backup/memory_target.h"

namespace holdfast::backup {
namespace {

using testing::HasSubstr;

const ObjectName kOne{"nightly-1", "manifest"};

// Of a memory that a test looks at, and that tells which calls came.
struct Watched {
  ManualClock clock;
  std::shared_ptr<MemoryTarget> memory = std::make_shared<MemoryTarget>(clock);
  std::vector<std::string> calls;

  std::unique_ptr<Target> Open() {
    return MakeReadOnlyTarget(std::make_unique<FatedTarget>(memory, [this](const std::string& call, const auto&) {
      calls.push_back(call);
      return Fate::kDone;
    }));
  }
};

TEST(ReadOnlyTarget, what_is_there_is_read) {
  Watched watched;
  ASSERT_TRUE(watched.memory->Put(kOne, "bytes", Deadline::Infinite()).ok());
  const auto target = watched.Open();
  EXPECT_EQ(*target->Get(kOne, 100, Deadline::Infinite()), "bytes");
  EXPECT_EQ(target->List("nightly-1/", Deadline::Infinite())->size(), 1u);
  EXPECT_EQ(target->Get({"nightly-2", "manifest"}, 100, Deadline::Infinite()).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(target->Describe(), "memory");
}

TEST(ReadOnlyTarget, nothing_that_would_change_it_gets_through) {
  Watched watched;
  ASSERT_TRUE(watched.memory->Put(kOne, "bytes", Deadline::Infinite()).ok());
  const auto target = watched.Open();
  for (const Status& refused :
       {target->Put(kOne, "other", Deadline::Infinite()),
        target->PutNew({"new", "manifest"}, "x", Deadline::Infinite()), target->Delete(kOne, Deadline::Infinite())}) {
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kNotSupported);
    EXPECT_THAT(refused.error().message(), HasSubstr("backups.source"));
  }
  // Others find that out by writing.
  EXPECT_FALSE(*target->CreatesOnce(Deadline::Infinite()));
  EXPECT_TRUE(watched.calls.empty());
  EXPECT_EQ(watched.memory->objects().size(), 1u);
  EXPECT_EQ(*watched.memory->Get(kOne, 100, Deadline::Infinite()), "bytes");
}

}  // namespace
}  // namespace holdfast::backup
