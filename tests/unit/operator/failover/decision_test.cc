#include "operator/failover/decision.h"

#include <gtest/gtest.h>

#include <functional>
#include <ostream>

namespace holdfast::failover {
namespace {

using std::chrono::milliseconds;

constexpr Patience kPatience{milliseconds{3000}, milliseconds{2000}, milliseconds{2000}};

Member Standby(const std::string& name, std::uint64_t received = 100) {
  return {name, false, MemberReport{"running", false, 1, received}};
}

// `a` led, `b` is its synchronous standby, and nothing has happened yet.
Facts Healthy() {
  Facts facts;
  facts.initialized = true;
  facts.synchronous = true;
  facts.holder = "a";
  facts.lock_unchanged = milliseconds{0};
  facts.sync_leader = "a";
  facts.sync_set = {"b"};
  facts.acks_required = 1;
  facts.members = {{"a", false, MemberReport{"running", true, 1, 100}}, Standby("b")};
  return facts;
}

Facts Silent() {
  Facts facts = Healthy();
  facts.members[0].report.reset();
  facts.silent = milliseconds{3000};
  return facts;
}

Facts Dead() {
  Facts facts = Silent();
  facts.silent = milliseconds{0};
  facts.holder_end = HolderEnd::kEnded;
  return facts;
}

struct Case {
  const char* name;
  std::function<Facts()> facts;
  Act act;
  const char* target;
  const char* reason;
};
void PrintTo(const Case& test, std::ostream* out) {
  *out << test.name;
}

template <typename Change>
std::function<Facts()> With(Facts (*base)(), Change change) {
  return [base, change] {
    Facts facts = base();
    change(facts);
    return facts;
  };
}

class DecisionTest : public testing::TestWithParam<Case> {};

TEST_P(DecisionTest, IsTheOneThatIsSafe) {
  const Decision decision = Decide(GetParam().facts(), kPatience);
  EXPECT_EQ(decision.act, GetParam().act) << decision.reason << ": " << decision.message;
  EXPECT_EQ(decision.target, GetParam().target);
  EXPECT_EQ(decision.reason, GetParam().reason) << decision.message;
  EXPECT_FALSE(decision.message.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Table, DecisionTest,
    testing::Values(
        // Nothing is wrong, or nothing is there yet.
        Case{"healthy", Healthy, Act::kNothing, "", "Serving"},
        Case{"bootstrapping", With(Dead, [](Facts& f) { f.initialized = false; }), Act::kNothing, "", "Bootstrapping"},
        Case{"patroni_paused", With(Dead, [](Facts& f) { f.paused = true; }), Act::kNothing, "", "Paused"},
        Case{"nobody_holds_the_lock", With(Dead, [](Facts& f) { f.holder.clear(); }), Act::kWait, "", "Electing"},
        Case{"writes_stuck_behind_a_primary_that_answers",
             With(Healthy, [](Facts& f) { f.write_path = WritePath::kStuck; }), Act::kNothing, "", "WritePathStuck"},
        // The container has ended: a fact.
        Case{"ended", Dead, Act::kPromote, "b", "PrimaryEnded"},
        Case{"ended_asynchronous", With(Dead, [](Facts& f) { f.synchronous = false; }), Act::kRefuse, "",
             "Asynchronous"},
        Case{"ended_without_standby", With(Dead, [](Facts& f) { f.sync_set.clear(), f.acks_required = 0; }),
             Act::kRefuse, "", "NoSynchronousStandby"},
        Case{"ended_while_another_led_the_set", With(Dead, [](Facts& f) { f.sync_leader = "c"; }), Act::kRefuse, "",
             "SyncSetOfAnother"},
        Case{"ended_and_the_set_never_written", With(Dead, [](Facts& f) { f.sync_leader.clear(); }), Act::kRefuse, "",
             "SyncSetOfAnother"},
        Case{"ended_and_the_standby_is_silent", With(Dead, [](Facts& f) { f.members[1].report.reset(); }), Act::kRefuse,
             "", "NotProvable"},
        Case{"ended_and_the_standby_is_starting", With(Dead, [](Facts& f) { f.members[1].report->state = "starting"; }),
             Act::kRefuse, "", "NotProvable"},
        Case{"ended_and_only_an_asynchronous_one_answers",
             With(Dead, [](Facts& f) { f.members[1] = Standby("c", 999); }), Act::kRefuse, "", "NotProvable"},
        Case{"ended_and_the_standby_may_not", With(Dead, [](Facts& f) { f.members[1].no_failover = true; }),
             Act::kRefuse, "", "NoCandidate"},
        Case{"ended_and_somebody_else_takes_writes",
             With(Dead,
                  [](Facts& f) {
                    f.members.push_back({"c", false, MemberReport{"running", true, 1, 100}});
                  }),
             Act::kFence, "c", "TwoPrimaries"},
        Case{"ended_but_started_again_in_time", With(Healthy, [](Facts& f) { f.holder_end = HolderEnd::kEnded; }),
             Act::kNothing, "", "Serving"},
        Case{"ended_and_started_again_as_a_replica",
             With(Dead,
                  [](Facts& f) {
                    f.members[0].report = MemberReport{"running", false, 1, 100};
                  }),
             Act::kPromote, "b", "PrimaryEnded"},
        // Gone without a proof.
        Case{"vanished",
             With(Silent, [](Facts& f) { f.holder_end = HolderEnd::kVanished, f.silent = milliseconds{60'000}; }),
             Act::kWait, "", "UnprovenDeath"},
        Case{"stopping", With(Silent, [](Facts& f) { f.holder_terminating = true, f.silent = milliseconds{500}; }),
             Act::kWait, "", "Stopping"},
        // Silence alone proves nothing.
        Case{"silent_for_a_moment", With(Silent, [](Facts& f) { f.silent = milliseconds{2999}; }), Act::kWait, "",
             "Unresponsive"},
        Case{"silent_to_us_alone", Silent, Act::kWait, "", "Uncorroborated"},
        Case{"silent_while_the_lock_is_renewed",
             With(Silent, [](Facts& f) { f.lock_unchanged = milliseconds{12'000}; }), Act::kWait, "", "Uncorroborated"},
        Case{"silent_and_we_have_not_seen_the_lock_before",
             With(Silent, [](Facts& f) { f.lock_unchanged.reset(), f.silent = milliseconds{60'000}; }), Act::kWait, "",
             "Uncorroborated"},
        Case{"silent_and_the_lock_is_overdue", With(Silent, [](Facts& f) { f.lock_unchanged = milliseconds{12'001}; }),
             Act::kFence, "a", "PrimaryUnresponsive"},
        Case{"silent_and_writes_are_stuck", With(Silent, [](Facts& f) { f.write_path = WritePath::kStuck; }),
             Act::kFence, "a", "PrimaryUnresponsive"},
        Case{"silent_but_writes_work", With(Silent, [](Facts& f) { f.write_path = WritePath::kWorks; }), Act::kWait, "",
             "Uncorroborated"},
        Case{"everybody_is_silent_so_it_may_be_us",
             With(Silent,
                  [](Facts& f) {
                    f.write_path = WritePath::kStuck;
                    f.lock_unchanged = milliseconds{60'000};
                    f.members[1].report.reset();
                  }),
             Act::kWait, "", "Uncorroborated"},
        Case{"silent_and_its_node_is_gone",
             With(Silent, [](Facts& f) { f.write_path = WritePath::kStuck, f.node_gone = true; }), Act::kWait, "",
             "NodeGone"},
        Case{"silent_but_its_node_is_there",
             With(Silent, [](Facts& f) { f.write_path = WritePath::kStuck, f.node_gone = false; }), Act::kFence, "a",
             "PrimaryUnresponsive"},
        Case{"silent_while_its_pod_goes",
             With(Silent, [](Facts& f) { f.write_path = WritePath::kStuck, f.holder_terminating = true; }), Act::kFence,
             "a", "PrimaryUnresponsive"},
        // Ending the last one that holds everything would help nobody.
        Case{"silent_without_a_successor",
             With(Silent, [](Facts& f) { f.write_path = WritePath::kStuck, f.sync_set.clear(), f.acks_required = 0; }),
             Act::kRefuse, "", "NoSynchronousStandby"},
        // Its own word.
        Case{"says_that_it_is_down",
             With(Silent,
                  [](Facts& f) {
                    f.members[0].report = MemberReport{"unknown", true, 0, 0};
                  }),
             Act::kFence, "a", "PrimaryUnresponsive"},
        Case{"says_so_for_a_moment",
             With(Silent,
                  [](Facts& f) {
                    f.members[0].report = MemberReport{"starting", true, 0, 0};
                    f.silent = milliseconds{100};
                  }),
             Act::kWait, "", "Unresponsive"},
        Case{"is_being_restarted",
             With(Silent,
                  [](Facts& f) {
                    f.members[0].report = MemberReport{"restarting", true, 0, 0};
                  }),
             Act::kWait, "", "Restarting"},
        // Two who take writes.
        Case{"two_primaries_for_a_moment",
             With(Healthy, [](Facts& f) { f.members[1].report->primary = true, f.rogue = milliseconds{1999}; }),
             Act::kWait, "", "TwoPrimaries"},
        Case{"two_primaries_that_stay",
             With(Healthy, [](Facts& f) { f.members[1].report->primary = true, f.rogue = milliseconds{2000}; }),
             Act::kFence, "b", "TwoPrimaries"}),
    [](const auto& test) { return test.param.name; });

// Every set of up to four synchronous standbys, every number of acknowledgements, every subset that answers: a standby
// is chosen exactly when no possible placement of an acknowledged write avoids all who answer, and then one that holds
// it.
TEST(DecisionQuorum, NeverPromotesWithoutEveryAcknowledgedWrite) {
  int promoted = 0;
  int refused = 0;
  for (std::size_t n = 1; n <= 4; ++n) {
    for (std::size_t w = 1; w <= n; ++w) {
      for (unsigned answering = 0; answering < 1U << n; ++answering) {
        // Which standbys have acknowledged the last write.
        for (unsigned holders = 0; holders < 1U << n; ++holders) {
          if (static_cast<std::size_t>(__builtin_popcount(holders)) != w) continue;
          Facts facts = Dead();
          facts.members.resize(1);
          facts.sync_set.clear();
          facts.acks_required = w;
          for (std::size_t i = 0; i < n; ++i) {
            const std::string name = "s" + std::to_string(i);
            facts.sync_set.push_back(name);
            Member member = Standby(name, (holders >> i & 1U) != 0 ? 200 : 100);
            if ((answering >> i & 1U) == 0) member.report.reset();
            facts.members.push_back(std::move(member));
          }
          const Decision decision = Decide(facts, kPatience);
          const bool provable = static_cast<std::size_t>(__builtin_popcount(answering)) + w > n;
          ASSERT_EQ(decision.act, provable ? Act::kPromote : Act::kRefuse) << n << " " << w << " " << answering;
          if (!provable) {
            ++refused;
            continue;
          }
          ++promoted;
          const unsigned chosen = static_cast<unsigned>(std::stoul(decision.target.substr(1)));
          ASSERT_NE(holders >> chosen & 1U, 0U) << n << " " << w << " " << answering << " " << holders;
        }
      }
    }
  }
  EXPECT_GT(promoted, 100);
  EXPECT_GT(refused, 100);
}

TEST(DecisionQuorum, ALaterTimelineGoesBeforeMoreBytes) {
  Facts facts = Dead();
  facts.sync_set = {"b", "c"};
  facts.acks_required = 2;
  facts.members.push_back(Standby("c", 50));
  EXPECT_EQ(Decide(facts, kPatience).target, "b");
  facts.members.back().report->timeline = 2;
  EXPECT_EQ(Decide(facts, kPatience).target, "c");
}

// Over all combinations of what can be known: the lock is cleared only when the holder's end is a fact, nobody takes
// writes, and a standby of the holder's own set answers; a container is ended only when it is the holder's or a
// rogue's.
TEST(DecisionSweep, ActsOnlyWithProof) {
  const HolderEnd ends[] = {HolderEnd::kUnknown, HolderEnd::kEnded, HolderEnd::kVanished};
  const WritePath paths[] = {WritePath::kUnknown, WritePath::kWorks, WritePath::kStuck};
  const char* states[] = {"", "running", "starting", "restarting", "stopped", "unknown"};
  int promotions = 0;
  int fences = 0;
  for (const bool synchronous : {false, true}) {
    for (const HolderEnd end : ends) {
      for (const WritePath path : paths) {
        for (const char* holder_state : states) {
          for (const bool holder_primary : {false, true}) {
            for (const char* standby_state : states) {
              for (const bool standby_primary : {false, true}) {
                for (const std::string sync_leader : {"", "a", "b"}) {
                  for (const int silent : {0, 2999, 3000, 60'000}) {
                    for (const int unchanged : {0, 12'001}) {
                      Facts facts = Healthy();
                      facts.synchronous = synchronous;
                      facts.holder_end = end;
                      facts.write_path = path;
                      facts.sync_leader = sync_leader;
                      facts.silent = milliseconds{silent};
                      facts.rogue = milliseconds{silent};
                      facts.lock_unchanged = milliseconds{unchanged};
                      const auto report = [](const char* state, bool primary) {
                        return *state == '\0' ? std::optional<MemberReport>() : MemberReport{state, primary, 1, 100};
                      };
                      facts.members[0].report = report(holder_state, holder_primary);
                      facts.members[1].report = report(standby_state, standby_primary);
                      const Decision decision = Decide(facts, kPatience);
                      const bool serves = facts.members[0].report && facts.members[0].report->Serves();
                      if (decision.act == Act::kPromote) {
                        ++promotions;
                        ASSERT_TRUE(end == HolderEnd::kEnded && !serves && synchronous && sync_leader == "a");
                        ASSERT_TRUE(facts.members[1].report && facts.members[1].report->state == "running");
                        ASSERT_FALSE(facts.members[1].report->primary);
                        ASSERT_EQ(decision.target, "b");
                      } else if (decision.act == Act::kFence) {
                        ++fences;
                        const bool rogue = facts.members[1].report && facts.members[1].report->Serves();
                        ASSERT_TRUE(decision.target == "a" ? !serves && end == HolderEnd::kUnknown && silent >= 3000
                                                           : rogue);
                      } else {
                        ASSERT_EQ(decision.target, "");
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
  EXPECT_GT(promotions, 100);
  EXPECT_GT(fences, 100);
}

}  // namespace
}  // namespace holdfast::failover
