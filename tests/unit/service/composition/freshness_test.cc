#include "service/composition/freshness.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/time/deadline.h"
#include "service/backends/memory/memory_backend.h"
#include "service/storage/forwarding_backend.h"

namespace holdfast::composition {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

// A change feed that takes its time to answer.
class Feed final : public storage::ForwardingBackend {
 public:
  explicit Feed(ManualClock& clock)
      : ForwardingBackend(std::shared_ptr(storage::MakeMemoryBackend({}))), clock_(clock) {}

  bool AwaitListener() override {
    clock_.Advance(takes);
    return knows;
  }
  std::chrono::microseconds takes{0};
  bool knows = true;

 private:
  ManualClock& clock_;
};

TEST(Freshness, HoldsAsLongAsTheLastQuestionAllows) {
  ManualClock clock;
  Feed feed(clock);
  Freshness freshness(feed, hours{1}, clock);
  EXPECT_FALSE(freshness.Holds()) << "nothing is known at the start";
  freshness.Ask();
  EXPECT_TRUE(freshness.Holds());
  EXPECT_EQ(freshness.Staleness(), milliseconds{0});
  clock.Advance(hours{1});
  EXPECT_TRUE(freshness.Holds());
  clock.Advance(milliseconds{1});
  EXPECT_FALSE(freshness.Holds());
  EXPECT_EQ(freshness.Staleness(), hours{1} + milliseconds{1});
}

// However quickly it comes.
TEST(Freshness, AFeedThatDoesNotKnowProvesNothing) {
  ManualClock clock;
  Feed feed(clock);
  Freshness freshness(feed, hours{1}, clock);
  feed.knows = false;
  freshness.Ask();
  EXPECT_FALSE(freshness.Holds());
  feed.knows = true;
  freshness.Ask();
  EXPECT_TRUE(freshness.Holds());
  feed.knows = false;
  clock.Advance(std::chrono::minutes{40});
  freshness.Ask();
  EXPECT_TRUE(freshness.Holds()) << "what was proved before still counts";
  EXPECT_EQ(freshness.Staleness(), std::chrono::minutes{40});
  clock.Advance(std::chrono::minutes{21});
  EXPECT_FALSE(freshness.Holds());
}

TEST(Freshness, ALateAnswerProvesOnlyWhatWasTrueWhenItWasAsked) {
  ManualClock clock;
  Feed feed(clock);
  Freshness freshness(feed, hours{1}, clock);
  feed.takes = std::chrono::minutes{40};
  freshness.Ask();
  EXPECT_TRUE(freshness.Holds());
  EXPECT_EQ(freshness.Staleness(), std::chrono::minutes{40});
  feed.takes = hours{2};
  freshness.Ask();
  EXPECT_FALSE(freshness.Holds());
}

TEST(Freshness, AsksByItself) {
  const std::shared_ptr<storage::Backend> backend = storage::MakeMemoryBackend({});
  Freshness freshness(*backend, milliseconds{200}, SystemClock());
  const Deadline patience = Deadline::After(std::chrono::seconds{60});
  while (!freshness.Holds() && !patience.Expired()) std::this_thread::yield();
  EXPECT_TRUE(freshness.Holds());
}

}  // namespace
}  // namespace holdfast::composition
