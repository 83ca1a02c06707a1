// Backups that are made by themselves: one for each tick, over restarts, overlaps and several instances.
#include "service/backup/scheduler.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "tests/unit/service/backup/backup_fixture.h"
#include "tests/unit/service/backup/target_double.h"

namespace holdfast::backup {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using storage::BackupAction;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Timestamp kNoon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + hours{12}};

class BackupSchedulerTest : public BackupFixture {
 protected:
  // A process that serves the store: what the program puts together, but nothing looks by itself.
  struct Instance {
    std::unique_ptr<metrics::Registry> registry = std::make_unique<metrics::Registry>();
    std::shared_ptr<Target> target;
    std::unique_ptr<Catalogue> catalogue;
    std::unique_ptr<Backups> backups;
    std::unique_ptr<Scheduler> scheduler;

    std::string Ticks(const std::string& result) const {
      const std::string name = R"(holdfast_backup_schedule_ticks_total{result=")" + result + R"(",store="main"} )";
      const std::string text = registry->Serialize();
      const std::size_t at = text.find(name);
      return at == std::string::npos ? "none" : text.substr(at + name.size(), text.find('\n', at) - at - name.size());
    }
  };

  BackupSchedulerTest() {
    clock_.JumpTo(kNoon + minutes{30});
    PutSome("v");
    backup_options_.retention.keep_last = 100;
  }

  Instance Open(std::shared_ptr<Target> target = nullptr) {
    Instance instance;
    instance.target = target ? std::move(target) : OpenTarget();
    instance.catalogue = std::make_unique<Catalogue>(instance.target, backup_options_.key);
    instance.backups = std::make_unique<Backups>(Source{backend_, "main"}, instance.target, checkpoints(),
                                                 backup_options_, clock_, *instance.registry, MakeScratch());
    instance.scheduler = std::make_unique<Scheduler>("main", options_, *instance.catalogue, *instance.backups, clock_,
                                                     *instance.registry);
    return instance;
  }
  static void Settle(const Instance& instance) {
    const Deadline patience = Deadline::After(minutes{1});
    while (instance.backups->IsBusy()) {
      ASSERT_FALSE(patience.Expired());
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }
  // Looks, and waits for what that has begun.
  static void Look(const Instance& instance) {
    instance.scheduler->Look();
    Settle(instance);
    instance.scheduler->Look();
    Settle(instance);
  }
  std::vector<std::string> Ids() { return IdsOf(*OpenBackups()->List(Deadline::Infinite())); }

  virtual std::unique_ptr<ScratchPlace> MakeScratch() { return nullptr; }

  ScheduleOptions options_{cron::Schedule::Parse("0 * * * *").value(), cron::TimeZone::Load("UTC").value(), {}, 0};
};

TEST(BackupTick, IdAndJitterFollowFromStoreAndTick) {
  EXPECT_EQ(TickId(kNoon), "tick-20261122t1200z");
  EXPECT_TRUE(IsName(TickId(kNoon)));
  EXPECT_EQ(JitterOf("main", kNoon, {}), seconds{0});
  EXPECT_EQ(JitterOf("main", kNoon, minutes{10}), JitterOf("main", kNoon, minutes{10}));
  std::set<std::int64_t> drawn;
  for (int i = 0; i < 200; ++i) {
    const auto jitter = JitterOf("main", kNoon + i * hours{1}, minutes{10});
    EXPECT_GE(jitter, seconds{0});
    EXPECT_LE(jitter, minutes{10});
    drawn.insert(jitter.count());
  }
  EXPECT_GT(drawn.size(), 100U);
  EXPECT_NE(JitterOf("main", kNoon, hours{1}), JitterOf("other", kNoon, hours{1}));
}

TEST_F(BackupSchedulerTest, EachTickHasItsBackup) {
  const Instance instance = Open();
  Look(instance);
  EXPECT_THAT(Ids(), ElementsAre("tick-20261122t1200z")) << "there was none at all";
  clock_.JumpTo(kNoon + minutes{60} - seconds{1});
  Look(instance);
  EXPECT_THAT(Ids(), ElementsAre("tick-20261122t1200z"));
  clock_.JumpTo(kNoon + hours{1});
  Look(instance);
  Look(instance);
  clock_.JumpTo(kNoon + hours{2} + minutes{1});
  Look(instance);
  EXPECT_THAT(Ids(), ElementsAre("tick-20261122t1200z", "tick-20261122t1300z", "tick-20261122t1400z"));
  EXPECT_EQ(instance.Ticks("begun"), "3");
  EXPECT_TRUE(instance.backups->Get("tick-20261122t1400z", Deadline::Infinite())->verified_at);
  EXPECT_THAT(instance.registry->Serialize(),
              HasSubstr("holdfast_backup_schedule_next_timestamp_seconds{store=\"main\"} 1795359600\n"));
}

TEST_F(BackupSchedulerTest, ItIsSaidWhenTheNextOnesAreDue) {
  options_.jitter = minutes{10};
  const Instance instance = Open();
  for (const bool looked : {false, true}) {
    if (looked) Look(instance);
    const storage::BackupSchedule schedule = instance.scheduler->Describe();
    EXPECT_EQ(schedule.expression, "0 * * * *");
    EXPECT_EQ(schedule.time_zone, "UTC");
    ASSERT_EQ(schedule.next.size(), 3U);
    const Timestamp tick = kNoon + hours{1};
    EXPECT_EQ(schedule.next.front(), tick + JitterOf("main", tick, minutes{10}));
  }
}

TEST_F(BackupSchedulerTest, ATickBeginsWithItsJitter) {
  options_.jitter = minutes{30};
  clock_.JumpTo(kNoon);
  const Timestamp due = kNoon + JitterOf("main", kNoon, options_.jitter);
  ASSERT_GT(due, kNoon);
  const Instance instance = Open();
  Look(instance);
  clock_.JumpTo(due - seconds{1});
  Look(instance);
  EXPECT_THAT(Ids(), IsEmpty());
  clock_.JumpTo(due);
  Look(instance);
  EXPECT_THAT(Ids(), ElementsAre("tick-20261122t1200z"));
}

TEST_F(BackupSchedulerTest, OfWhatWasMissedTheLastIsMadeUpOnce) {
  Look(Open());
  clock_.JumpTo(kNoon + hours{5} + minutes{10});
  for (int start = 0; start < 3; ++start) Look(Open());
  EXPECT_THAT(Ids(), ElementsAre("tick-20261122t1200z", "tick-20261122t1700z"));
  // Likewise of a process that stood still.
  const Instance instance = Open();
  Look(instance);
  clock_.JumpTo(kNoon + hours{9} + minutes{10});
  Look(instance);
  EXPECT_THAT(Ids(), ElementsAre("tick-20261122t1200z", "tick-20261122t1700z", "tick-20261122t2100z"));
}

TEST_F(BackupSchedulerTest, ANewerBackupIsAsGoodAsTheMissedOne) {
  ASSERT_FALSE(Create(*OpenBackups(), "by-hand").error);
  const Instance instance = Open();
  Look(instance);
  EXPECT_THAT(Ids(), ElementsAre("by-hand"));
  EXPECT_EQ(instance.Ticks("elsewhere"), "1");
}

TEST_F(BackupSchedulerTest, ATickWhileARunIsUnderWayIsSkipped) {
  const auto target = std::make_shared<TargetDouble>(OpenTarget());
  const Instance instance = Open(target);
  Look(instance);
  clock_.Advance(minutes{1});
  std::atomic<bool> hold{true};
  std::atomic<bool> writing{false};
  target->before_put = [&](const ObjectName& name, std::string_view) {
    if (name.backup != "slow") return Status();
    writing = true;
    while (hold) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    return Status();
  };
  ASSERT_TRUE(instance.backups->Begin(BackupAction::kCreate, "slow").ok());
  while (!writing) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  clock_.JumpTo(kNoon + hours{1});
  instance.scheduler->Look();
  EXPECT_EQ(instance.Ticks("skipped"), "1");
  hold = false;
  Settle(instance);
  Look(instance);
  clock_.JumpTo(kNoon + hours{2});
  Look(instance);
  EXPECT_THAT(Ids(), ElementsAre("tick-20261122t1200z", "slow", "tick-20261122t1400z"));
  EXPECT_EQ(instance.Ticks("begun"), "2");
}

TEST_F(BackupSchedulerTest, OfTwoInstancesOneMakesTheBackupOfATick) {
  constexpr int kTicks = 10;
  const Instance a = Open();
  const Instance b = Open();
  for (int tick = 0; tick < kTicks; ++tick) {
    clock_.JumpTo(kNoon + tick * hours{1} + minutes{30});
    std::atomic<int> ready{0};
    const auto together = [&ready](const Instance& instance) {
      ++ready;
      while (ready < 2) std::this_thread::yield();
      instance.scheduler->Look();
    };
    std::thread other(together, std::cref(b));
    together(a);
    other.join();
    Settle(a);
    Settle(b);
    clock_.Advance(kLookAgain);
    Look(a);
    Look(b);
    const std::string id = TickId(kNoon + tick * hours{1});
    std::set<std::string> series;
    for (const std::string& file : FilesOf(id)) {
      if (file.find("-0000") != std::string::npos) series.insert(file.substr(0, file.find('-')));
    }
    EXPECT_EQ(series.size(), 1U) << id << " was made twice";
    EXPECT_TRUE(Read(id).ok()) << id;
  }
  EXPECT_EQ(Ids().size(), static_cast<std::size_t>(kTicks));
  const int begun = std::stoi(a.Ticks("begun")) + std::stoi(b.Ticks("begun"));
  const int elsewhere = std::stoi(a.Ticks("elsewhere")) + std::stoi(b.Ticks("elsewhere"));
  EXPECT_EQ(begun, kTicks);
  EXPECT_EQ(elsewhere, kTicks);
}

TEST_F(BackupSchedulerTest, OneWhoseMakerHasEndedIsTakenOverAndStaysOne) {
  const std::string id = TickId(kNoon);
  const auto target = OpenTarget();
  ASSERT_TRUE(target->PutNew({id, std::string(kClaimObject)}, "left\n", Deadline::Infinite()).ok());
  ASSERT_TRUE(target->Put({id, "0badcafe-00000001"}, "half", Deadline::Infinite()).ok());
  const Instance instance = Open();
  Look(instance);
  clock_.Advance(kTakeover - seconds{1});
  Look(instance);
  EXPECT_THAT(Ids(), IsEmpty()) << "it may still be at it";
  // It was, just now.
  ASSERT_TRUE(target->Put({id, "0badcafe-00000002"}, "half", Deadline::Infinite()).ok());
  clock_.Advance(kLookAgain);
  Look(instance);
  clock_.Advance(kTakeover - seconds{1});
  Look(instance);
  EXPECT_THAT(Ids(), IsEmpty());
  clock_.Advance(kLookAgain);
  Look(instance);
  EXPECT_THAT(Ids(), ElementsAre(id));
  EXPECT_TRUE(Read(id).ok());
  // Whoever was too slow finds that it is there, and leaves it alone.
  const Catalogue catalogue = OpenCatalogue();
  Work work({}, Deadline::Infinite(), {});
  const Status late = CreateBackup({backend_, "main"}, catalogue, id, clock_.Now(), backup_options_.create, work, true);
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_TRUE(Read(id).ok());
}

TEST_F(BackupSchedulerTest, AFailedRunLeavesItsTickToTheOthers) {
  const auto target = std::make_shared<TargetDouble>(OpenTarget());
  const Instance a = Open(target);
  const Instance b = Open();
  target->before_put = [](const ObjectName& name, std::string_view) {
    return name.object.ends_with("-00000002") ? Status(Error(ErrorCode::kUnavailable, "as the test has it")) : Status();
  };
  Look(a);
  EXPECT_THAT(Ids(), IsEmpty());
  EXPECT_THAT(FilesOf(TickId(kNoon)), IsEmpty());
  Look(b);
  EXPECT_THAT(Ids(), ElementsAre(TickId(kNoon)));
  target->before_put = nullptr;
  clock_.JumpTo(kNoon + hours{1});
  Look(a);
  EXPECT_EQ(a.Ticks("begun"), "2");
}

TEST_F(BackupSchedulerTest, ATargetThatDoesNotAnswerIsAskedAgain) {
  const auto target = std::make_shared<TargetDouble>(OpenTarget());
  const Instance instance = Open(target);
  std::atomic<int> asked{0};
  target->before_put = [&asked](const ObjectName&, std::string_view) {
    ++asked;
    return Status(Error(ErrorCode::kUnavailable, "as the test has it"));
  };
  Look(instance);
  Look(instance);
  EXPECT_EQ(asked, 1) << "it was not left in peace";
  target->before_put = nullptr;
  clock_.Advance(kLookAgain);
  Look(instance);
  EXPECT_THAT(Ids(), ElementsAre(TickId(kNoon)));
}

class ScheduledDrillTest : public BackupSchedulerTest {
 protected:
  class Place final : public ScratchPlace {
   public:
    Result<std::unique_ptr<storage::Backend>> Open(const storage::Limits& limits, const Clock& clock) override {
      storage::MemoryOptions options;
      options.limits = limits;
      return storage::MakeMemoryBackend(options, clock);
    }
    Status Clear() override { return {}; }
  };
  std::unique_ptr<ScratchPlace> MakeScratch() override { return std::make_unique<Place>(); }
};

TEST_F(ScheduledDrillTest, EveryNthBackupIsTriedAlsoOverRestarts) {
  options_.drill_every = 3;
  std::vector<bool> drilled;
  for (int tick = 0; tick < 7; ++tick) {
    clock_.JumpTo(kNoon + tick * hours{1});
    const Instance restarted = Open();
    Look(restarted);
    const auto info = restarted.backups->Get(TickId(kNoon + tick * hours{1}), Deadline::Infinite());
    ASSERT_TRUE(info.ok());
    drilled.push_back(info->drill.has_value());
  }
  EXPECT_THAT(drilled, ElementsAre(false, false, true, false, false, true, false));
}

}  // namespace
}  // namespace holdfast::backup
