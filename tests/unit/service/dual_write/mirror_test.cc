// Several mirrors, as of several instances, at the same keys; and what happens when they do not look at the marks.
#include "service/dual_write/mirror.h"

#include <cstdlib>
#include <random>

#include "service/dual_write/fences.h"
#include "tests/unit/service/dual_write/moving_store.h"

namespace holdfast::dual_write {
namespace {

using storage::Expiry;
using storage::Operation;

std::uint64_t Seed() {
  const char* text = std::getenv("HOLDFAST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
}

class Mirrors : public MovingStore {
 protected:
  void SetUp() override {
    std::printf("HOLDFAST_SEED=%llu\n", static_cast<unsigned long long>(Seed()));
    ASSERT_TRUE(
        Fences::Read(*target_, rows_, Deadline::Infinite())->Replace(*target_, rows_, "id", Deadline::Infinite()).ok());
  }
  // Threads write and copy three keys, without knowing of each other; true when both backends have the same at the end.
  bool RoundEndsAlike(std::uint64_t round) {
    std::vector<std::thread> threads;
    for (std::uint64_t thread = 0; thread < 4; ++thread) {
      threads.emplace_back([this, round, thread] {
        const Mirror mirror(*source_, *target_, rows_);
        std::mt19937_64 random(Seed() * 1'000'000 + round * 10 + thread);
        for (int i = 0; i < 20; ++i) {
          const std::string key = "k" + std::to_string(random() % 3);
          switch (random() % 4) {
            case 0:
              (void)Run(*source_, Operation::Delete(key));
              break;
            case 1:
              (void)Run(*source_, Operation::Touch(key, Expiry::After(std::chrono::seconds{100 + random() % 100})));
              break;
            default:
              (void)Run(*source_, Operation::Put(key, std::to_string(random())));
          }
          const std::vector<Task> tasks{{key, ""}};
          const Status copied = mirror.Copy(tasks, "id", Deadline::Infinite());
          EXPECT_TRUE(copied.ok()) << copied.error().ToString();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return Content(*source_) == Content(*beneath_);
  }

  const Rows rows_{"main"};
};

TEST_F(Mirrors, AtTheSameKeysEndWithWhatTheSourceHas) {
  target_->delay_us = 20;
  for (std::uint64_t round = 0; round < 30; ++round) ASSERT_TRUE(RoundEndsAlike(round)) << round;
}

TEST_F(Mirrors, ControlWithoutTheMarksOldValuesAndDeletedKeysReturn) {
  target_->delay_us = 20;
  target_->forgets_conditions = true;
  for (std::uint64_t round = 0; round < 300; ++round) {
    if (!RoundEndsAlike(round)) return;
  }
  FAIL() << "copies that overtake each other went unnoticed";
}

// Between reading the source and writing the target the key is deleted and that is copied: nothing may return.
TEST_F(Mirrors, ALateCopyOfADeletedKeyIsRefused) {
  const Mirror mirror(*source_, *target_, rows_);
  const std::vector<Task> tasks{{"k", ""}};
  (void)Run(*source_, Operation::Put("k", "1"));
  target_->delay_us = 200'000;
  std::thread late([&] { EXPECT_TRUE(mirror.Copy(tasks, "id", Deadline::Infinite()).ok()); });
  std::this_thread::sleep_for(std::chrono::milliseconds{50});  // it is about to write
  (void)Run(*source_, Operation::Delete("k"));
  const Mirror other(*source_, *beneath_, rows_);
  EXPECT_TRUE(other.Copy(tasks, "id", Deadline::Infinite()).ok());
  late.join();
  EXPECT_EQ("-", Value(*beneath_, "k"));
}

TEST_F(Mirrors, OfAnotherMigrationWriteNothing) {
  const Mirror mirror(*source_, *target_, rows_);
  (void)Run(*source_, Operation::Put("k", "1"));
  const std::vector<Task> tasks{{"k", ""}};
  const Status copied = mirror.Copy(tasks, "old", Deadline::Infinite());
  ASSERT_FALSE(copied.ok());
  EXPECT_EQ(ErrorCode::kUnavailable, copied.error().code());
  EXPECT_EQ("-", Value(*beneath_, "k"));
}

TEST_F(Mirrors, RepairWritesWhatDiffersOnly) {
  const Mirror mirror(*source_, *target_, rows_);
  (void)Run(*source_, Operation::Put("ka", "1"));
  (void)Run(*source_, Operation::Put("kb", "1"));
  const std::vector<Task> tasks{{"ka", ""}, {"kb", ""}, {"kc", ""}};
  EXPECT_EQ(2u, *mirror.Repair(tasks, "id", Deadline::Infinite()));
  EXPECT_EQ(0u, *mirror.Repair(tasks, "id", Deadline::Infinite()));
  (void)Run(*source_, Operation::Delete("ka"));
  (void)Run(*beneath_, Operation::Put("kc", "nobody's"));
  EXPECT_EQ(2u, *mirror.Repair(tasks, "id", Deadline::Infinite()));
  EXPECT_EQ(Content(*source_), Content(*beneath_));
}

}  // namespace
}  // namespace holdfast::dual_write
