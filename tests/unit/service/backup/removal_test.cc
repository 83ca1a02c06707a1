// Whoever removes a backup, whoever makes an increment on it and a crash of either, at every moment of each other: what
// was said to be made can be read, whatever else becomes of it.
#include "service/backup/removal.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <limits>
#include <random>

#include "service/backup/create.h"
#include "service/backup/prune.h"
#include "tests/unit/service/backup/backup_fixture.h"
#include "tests/unit/service/backup/memory_target.h"
#include "tests/unit/service/backup/turns.h"

namespace holdfast::backup {
namespace {

using testing::IsEmpty;

using Remover = std::function<Status(const Catalogue& catalogue)>;

const Deadline kNever = Deadline::Infinite();
constexpr std::chrono::hours kRun{1};

bool IsMark(const std::string& shown) {
  return shown.find(std::string("/").append(kDoomedPrefix)) != std::string::npos;
}

// As it was before there were marks: the manifest goes, and comes back when there is an increment.
Status RemoveAndPutBack(const Catalogue& catalogue) {
  const ObjectName name{"full", std::string(kManifestObject)};
  HOLDFAST_ASSIGN_OR_RETURN(const std::string manifest, catalogue.target().Get(name, kMaxManifestBytes, kNever));
  HOLDFAST_RETURN_IF_ERROR(catalogue.target().Delete(name, kNever));
  const auto child = catalogue.Get("one", kNever);
  if (child.ok() || child.error().code() != ErrorCode::kNotFound) {
    HOLDFAST_RETURN_IF_ERROR(catalogue.target().Put(name, manifest, kNever));
    return Error(ErrorCode::kFailedPrecondition, "in use");
  }
  return catalogue.Remove("full", kNever);
}

// Without a mark.
Status LookAndRemove(const Catalogue& catalogue) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto all, catalogue.List(kNever));
  if (all.size() > 1) return Error(ErrorCode::kFailedPrecondition, "in use");
  return catalogue.Remove("full", kNever);
}

Status RemoveFull(const Catalogue& catalogue) {
  return RemoveUnused(catalogue, {"full"}, {}, kNever).front();
}

class RemovalTest : public BackupFixture {
 protected:
  RemovalTest() {
    backup_options_.create.object_bytes = 1 << 20;
    PutSome("v");
    EXPECT_TRUE(Make(Catalogue(target_, {}), "full", "").ok());
    begin_ = target_->objects();
  }

  Status Make(const Catalogue& catalogue, const std::string& id, const std::string& parent) {
    Chain chain;
    if (!parent.empty()) {
      HOLDFAST_ASSIGN_OR_RETURN(chain, OpenChain(catalogue, parent, kNever));
    }
    Work work({}, kNever, {});
    return CreateBackup({backend_, "main"}, catalogue, id, clock_.Now(), backup_options_.create, work, false, chain);
  }
  bool CanBeRead(const std::string& id) const {
    const auto chain = OpenChain(catalogue_, id, kNever);
    Work work({}, kNever, {});
    return chain.ok() && ReadAll(*chain, *target_, work).ok();
  }
  std::vector<std::string> Marks() const {
    std::vector<std::string> marks;
    for (const auto& [shown, object] : target_->objects()) {
      if (IsMark(shown)) marks.push_back(shown);
    }
    return marks;
  }
  Result<std::vector<std::string>> PruneLater(std::size_t keep) {
    clock_.Advance(kRun + std::chrono::hours{1});
    return Prune(catalogue_, {{keep, 0, 0}, kRun}, clock_.Now(), {}, kNever);
  }

  const std::shared_ptr<MemoryTarget> target_ = std::make_shared<MemoryTarget>(clock_);
  const Catalogue catalogue_{target_, {}};
  MemoryTarget::Objects begin_;
};

// Every call of `remover` fails once, with and without effect, and it goes on or is no more. How often the increment
// that was there all the time could not be read then.
struct Sweep {
  int faults = 0;
  int lost = 0;
  int left_marks = 0;
};

class FaultSweep : public RemovalTest {
 protected:
  FaultSweep() {
    EXPECT_TRUE(Make(catalogue_, "one", "full").ok());
    begin_ = target_->objects();
  }

  // `act` with each of its calls failing once, as above, and `look` behind each; how many that were.
  int FailEach(const std::function<void(const Catalogue&)>& act, const std::function<void(int call)>& look) {
    int faults = 0;
    for (const bool dies : {true, false}) {
      for (const Fate fate : {Fate::kRefused, Fate::kLost}) {
        for (int call = 0;; ++call) {
          target_->Replace(begin_);
          int calls = 0;
          const auto way = std::make_shared<FatedTarget>(target_, [&](const std::string&, const std::string&) {
            const int now = calls++;
            if (now == call) return fate;
            return dies && now > call ? Fate::kRefused : Fate::kDone;
          });
          act(Catalogue(way, {}));
          if (calls <= call) break;
          ++faults;
          look(call);
        }
      }
    }
    return faults;
  }

  Sweep Break(const Remover& remover) {
    Sweep sweep;
    sweep.faults = FailEach([&](const Catalogue& catalogue) { static_cast<void>(remover(catalogue).ok()); },
                            [&](int call) {
                              sweep.lost += CanBeRead("one") ? 0 : 1;
                              sweep.left_marks += Marks().empty() ? 0 : 1;
                              EXPECT_TRUE(PruneLater(9).ok());
                              EXPECT_THAT(Marks(), IsEmpty()) << "call " << call;
                            });
    return sweep;
  }
};

TEST_F(FaultSweep, AParentInUseSurvivesWhateverFails_fault) {
  const Sweep sweep = Break(RemoveFull);
  EXPECT_GT(sweep.faults, 30);
  EXPECT_EQ(sweep.lost, 0);
  EXPECT_GT(sweep.left_marks, 5) << "the control: prune had some to take away";
}

TEST_F(FaultSweep, ControlTheOrderBeforeLosesTheChain) {
  EXPECT_GT(Break(RemoveAndPutBack).lost, 2);
}

// A chain that nobody needs any more, one fault at every call: what is listed can be read, and a later prune finishes.
TEST_F(FaultSweep, WhatIsRemovedIsWholeOrGone_fault) {
  EXPECT_TRUE(Make(catalogue_, "two", "one").ok());
  clock_.Advance(std::chrono::hours{1});
  EXPECT_TRUE(Make(catalogue_, "next", "").ok());
  begin_ = target_->objects();
  const int faults = FailEach(
      [&](const Catalogue& catalogue) {
        static_cast<void>(Prune(catalogue, {{1, 0, 0}, kRun}, clock_.Now(), {}, kNever).ok());
      },
      [&](int call) {
        const auto listed = catalogue_.List(kNever);
        for (const StoredBackup& one : *listed) EXPECT_TRUE(CanBeRead(one.id)) << one.id << ", call " << call;
        ASSERT_TRUE(PruneLater(1).ok());
        for (const auto& [shown, object] : target_->objects()) EXPECT_TRUE(shown.starts_with("next/")) << shown;
      });
  EXPECT_GT(faults, 100);
}

// Of somebody who may still act on it nothing is taken away, and nothing is built on what it stands beside.
TEST_F(FaultSweep, AMarkStaysAsLongAsARemovalMayTake) {
  const ObjectName mark{"one", std::string(kDoomedPrefix) + "0123456789abcdef"};
  ASSERT_TRUE(target_->Put(mark, "", kNever).ok());
  clock_.Advance(kRun);
  ASSERT_TRUE(Prune(catalogue_, {{9, 0, 0}, kRun}, clock_.Now(), {}, kNever).ok());
  EXPECT_THAT(Marks(), testing::ElementsAre(Show(mark)));
  const Status made = Make(catalogue_, "two", "one");
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_FALSE(target_->Has("two/manifest"));
  EXPECT_TRUE(PruneLater(9).ok());
  EXPECT_THAT(Marks(), IsEmpty());
  EXPECT_TRUE(Make(catalogue_, "two", "one").ok());
}

// Who does what in one story, all of them at once.
struct Actor {
  std::function<Status(const Catalogue& catalogue)> act;
  std::string makes;     // the id; empty: a remover
  int dies_before = -1;  // its step of that number
  // Behind so many steps it goes on without turns.
  int steps = std::numeric_limits<int>::max();
};

class RemovalRace : public RemovalTest {
 protected:
  // What counts as a step: all that others can see or change of what decides.
  static bool Counts(const std::string& call, const std::string& name) {
    return call == "list" || name.ends_with("/manifest") || IsMark(name);
  }

  Actor Maker(const std::string& id, const std::string& parent) {
    return {[this, id, parent](const Catalogue& catalogue) { return Make(catalogue, id, parent); }, id};
  }

  // The ids of what was said to be made and cannot be read.
  std::vector<std::string> Play(const std::vector<Actor>& actors,
                                const std::function<std::size_t(const std::vector<std::size_t>&)>& choose,
                                bool shared_mark = false) {
    target_->Replace(begin_);
    Turns turns(actors.size());
    std::vector<Status> done(actors.size());
    std::vector<std::thread> threads;
    for (std::size_t self = 0; self < actors.size(); ++self) {
      threads.emplace_back([&, self] {
        const Actor& actor = actors[self];
        int steps = 0;
        // Before it puts its manifest a maker changes nothing that others look at.
        bool seen = actor.makes.empty();
        const auto judge = [&](const std::string& call, const std::string& name) {
          seen = seen || (call == "put" && name == actor.makes + "/manifest");
          if (!seen || !Counts(call, name)) return steps < 0 ? Fate::kRefused : Fate::kDone;
          if (steps >= 0 && steps < actor.steps) turns.Take(self);
          if (steps == actor.dies_before) steps = std::numeric_limits<int>::min() / 2;
          return steps++ < 0 ? Fate::kRefused : Fate::kDone;
        };
        std::shared_ptr<Target> way = std::make_shared<FatedTarget>(target_, judge);
        if (shared_mark) way = std::make_shared<OneMark>(way);
        turns.Take(self);
        done[self] = actor.act(Catalogue(way, {}));
        turns.End(self);
      });
    }
    turns.Drive(choose);
    for (std::thread& thread : threads) thread.join();
    std::vector<std::string> lost;
    made_ = removed_ = 0;
    for (std::size_t self = 0; self < actors.size(); ++self) {
      const bool made = done[self].ok() && !actors[self].makes.empty();
      made_ += made ? 1 : 0;
      removed_ += done[self].ok() && actors[self].makes.empty() ? 1 : 0;
      if (made && !CanBeRead(actors[self].makes)) lost.push_back(actors[self].makes);
    }
    return lost;
  }

  int made_ = 0;
  int removed_ = 0;

 private:
  // As if all removers had one mark in common.
  class OneMark final : public Target {
   public:
    explicit OneMark(std::shared_ptr<Target> target) : target_(std::move(target)) {}
    std::string Describe() const override { return target_->Describe(); }
    Status Put(const ObjectName& name, std::string_view bytes, Deadline deadline) override {
      return target_->Put(Common(name), bytes, deadline);
    }
    Status PutNew(const ObjectName& name, std::string_view bytes, Deadline deadline) override {
      return target_->PutNew(name, bytes, deadline);
    }
    Result<std::string> Get(const ObjectName& name, std::size_t most, Deadline deadline) override {
      return target_->Get(name, most, deadline);
    }
    Result<std::vector<StoredObject>> List(std::string_view prefix, Deadline deadline) override {
      return target_->List(prefix, deadline);
    }
    Status Delete(const ObjectName& name, Deadline deadline) override {
      return target_->Delete(Common(name), deadline);
    }

   private:
    static ObjectName Common(const ObjectName& name) {
      return IsMark(Show(name)) ? ObjectName{name.backup, std::string(kDoomedPrefix) + "all"} : name;
    }
    const std::shared_ptr<Target> target_;
  };
};

struct Outcomes {
  int orders = 0;
  int lost = 0;
  int made = 0;
  int removed = 0;
};

class EveryOrder : public RemovalRace {
 protected:
  Outcomes Try(const Remover& remover) {
    Outcomes outcomes;
    // Until it knows whether it has made something.
    Actor maker = Maker("one", "full");
    maker.steps = 4;
    AllOrders orders;
    do {
      outcomes.lost +=
          Play({maker, {remover, ""}}, [&](const auto& waiting) { return orders.Choose(waiting); }).empty() ? 0 : 1;
      ++outcomes.orders;
      outcomes.made += made_;
      outcomes.removed += removed_;
      EXPECT_EQ(target_->Has("full/manifest"), removed_ == 0);
    } while (orders.Next());
    return outcomes;
  }
};

TEST_F(EveryOrder, OfAMakerAndARemoverLosesNoChain) {
  const Outcomes outcomes = Try(RemoveFull);
  RecordProperty("orders", outcomes.orders);
  EXPECT_GT(outcomes.orders, 300);
  EXPECT_EQ(outcomes.lost, 0);
  EXPECT_GT(outcomes.made, 10);
  EXPECT_GT(outcomes.removed, 10);
}

TEST_F(EveryOrder, ControlARemoverThatOnlyLooksLosesOne) {
  EXPECT_GT(Try(LookAndRemove).lost, 0);
}

// A maker, one that builds on what the first one makes, two removers; one of them may die at any step.
class DrawnOrders : public RemovalRace {
 protected:
  Outcomes Try(int orders, bool shared_mark) {
    const char* given = std::getenv("HOLDFAST_SEED");
    const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
    std::mt19937_64 random(seed);
    Outcomes outcomes;
    for (; outcomes.orders < orders; ++outcomes.orders) {
      std::vector<Actor> actors = {{RemoveFull, ""}, {RemoveFull, ""}, Maker("one", "full"), Maker("two", "one")};
      if (random() % 2 == 0) actors[random() % actors.size()].dies_before = static_cast<int>(random() % 12);
      const auto lost = Play(
          actors,
          [&](std::vector<std::size_t> waiting) {
            // The second maker has to find something to build on.
            if (!target_->Has("one/manifest") && waiting.size() > 1) std::erase(waiting, 3);
            return waiting[random() % waiting.size()];
          },
          shared_mark);
      outcomes.lost += lost.empty() ? 0 : 1;
      outcomes.made += made_;
      outcomes.removed += removed_;
      EXPECT_TRUE(lost.empty() || shared_mark) << "order " << outcomes.orders << " of HOLDFAST_SEED=" << seed;
      EXPECT_TRUE(PruneLater(9).ok());
      EXPECT_THAT(Marks(), IsEmpty());
    }
    return outcomes;
  }
};

TEST_F(DrawnOrders, OfMakersAndRemoversThatMayDieLoseNoChain_fault) {
  const Outcomes outcomes = Try(600, false);
  EXPECT_EQ(outcomes.lost, 0);
  EXPECT_GT(outcomes.made, 100);
  EXPECT_GT(outcomes.removed, 100);
}

TEST_F(DrawnOrders, ControlWithOneMarkForAllRemoversSomeLoseOne) {
  EXPECT_GT(Try(600, true).lost, 0);
}

}  // namespace
}  // namespace holdfast::backup
