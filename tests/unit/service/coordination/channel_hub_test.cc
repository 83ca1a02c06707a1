#include "service/coordination/channel_hub.h"

#include <gtest/gtest.h>

#include <thread>

namespace holdfast::coordination {
namespace {

using Lines = std::vector<std::string>;

class ChannelHubTest : public testing::Test {
 protected:
  void Use(const ChannelOptions& options) { hub_ = std::make_shared<ChannelHub>(options, "main", registry_); }
  std::unique_ptr<ChannelSubscription> Subscribe(
      std::string_view name, bool pattern = false, std::function<void()> wake = [] {}) {
    return hub_->Subscribe("default", name, pattern, std::move(wake));
  }
  std::size_t Publish(std::string_view channel, std::string content) {
    return hub_->Publish("default", channel, std::move(content));
  }
  static Lines Read(ChannelSubscription& subscription, std::size_t max_bytes = 1'000'000) {
    Lines lines;
    const auto page = subscription.Read(max_bytes);
    if (page.lost > 0) lines.push_back("lost " + std::to_string(page.lost));
    for (const MessagePtr& message : page.messages) {
      std::string line = message->channel;
      line.append(" ").append(message->content);
      lines.push_back(std::move(line));
    }
    if (page.more) lines.emplace_back("more");
    return lines;
  }

  metrics::Registry registry_;
  std::shared_ptr<ChannelHub> hub_ = std::make_shared<ChannelHub>(ChannelOptions{}, "main", registry_);
};

TEST_F(ChannelHubTest, AMessageGoesToWhoeverIsSubscribed) {
  EXPECT_EQ(Publish("a", "early"), 0u);
  const auto first = Subscribe("a");
  const auto other = Subscribe("b");
  {
    const auto second = Subscribe("a");
    EXPECT_EQ(Publish("a", "1"), 2u);
  }
  EXPECT_EQ(Publish("a", "2"), 1u);
  EXPECT_EQ(Read(*first), (Lines{"a 1", "a 2"}));
  EXPECT_EQ(Read(*other), Lines{});
}

TEST_F(ChannelHubTest, TenantsDoNotHearEachOther) {
  const auto mine = Subscribe("a");
  const auto all = Subscribe("*", true);
  EXPECT_EQ(hub_->Publish("other", "a", "1"), 0u);
  EXPECT_EQ(hub_->Publish("defaults", "a", "1"), 0u);
  EXPECT_EQ(Read(*mine), Lines{});
  EXPECT_EQ(Read(*all), Lines{});
}

TEST_F(ChannelHubTest, PatternsAreGlobs) {
  const auto news = Subscribe("news.*", true);
  const auto literally = Subscribe("news.*");
  EXPECT_EQ(Publish("news.eu", "1"), 1u);
  EXPECT_EQ(Publish("news.*", "2"), 2u);
  EXPECT_EQ(Publish("sports.eu", "3"), 0u);
  EXPECT_EQ(Read(*news), (Lines{"news.eu 1", "news.* 2"}));
  EXPECT_EQ(Read(*literally), Lines{"news.* 2"});
}

TEST_F(ChannelHubTest, WakesOnlyWhoHasReadEverything) {
  int wakes = 0;
  const auto subscription = Subscribe("a", false, [&] { ++wakes; });
  Publish("a", "before the first read");
  EXPECT_EQ(wakes, 0);
  Read(*subscription);
  Publish("a", "1");
  Publish("a", "2");
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(Read(*subscription, 1), (Lines{"a 1", "more"}));
  Publish("a", "3");
  EXPECT_EQ(wakes, 1);
}

TEST_F(ChannelHubTest, ASlowSubscriberLosesTheOldestAndIsTold) {
  Use({.max_queued_messages = 3});
  const auto slow = Subscribe("a");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Publish("a", std::to_string(i)), 1u);
  EXPECT_EQ(Read(*slow), (Lines{"lost 7", "a 7", "a 8", "a 9"}));
  EXPECT_EQ(Read(*slow), Lines{});
  EXPECT_EQ(registry_.GetCounter("holdfast_channels_lost_total", "", {{"store", "main"}}).Value(), 7);
}

TEST_F(ChannelHubTest, QueuesAreBoundedInBytes) {
  Use({.max_queued_bytes = 1'000});
  const auto slow = Subscribe("a");
  Publish("a", std::string(600, 'x'));
  Publish("a", std::string(600, 'y'));
  EXPECT_EQ(Read(*slow), (Lines{"lost 1", "a " + std::string(600, 'y')}));
  EXPECT_EQ(Publish("a", std::string(1'000, 'z')), 0u);
  EXPECT_EQ(Read(*slow), Lines{"lost 1"});
}

TEST_F(ChannelHubTest, AllQueuesTogetherAreBounded) {
  Use({.max_total_queued_bytes = 1'000});
  const auto first = Subscribe("a");
  auto second = Subscribe("b");
  EXPECT_EQ(Publish("a", std::string(700, 'x')), 1u);
  EXPECT_EQ(Publish("b", std::string(700, 'y')), 0u);
  EXPECT_EQ(Read(*second), Lines{"lost 1"});
  Read(*first);
  EXPECT_EQ(Publish("b", std::string(700, 'y')), 1u);
  second.reset();  // takes what it had not read with it
  EXPECT_EQ(Publish("a", std::string(700, 'x')), 1u);
}

TEST_F(ChannelHubTest, PublishersAndSubscribersAtOnce) {
  constexpr int kPublishers = 3;
  constexpr int kEach = 2'000;
  const auto steady = Subscribe("a");
  std::atomic<int> running{kPublishers};
  std::vector<std::thread> threads;
  for (int p = 0; p < kPublishers; ++p) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        const auto passing = Subscribe(i % 2 == 0 ? "a" : "*", i % 2 != 0);
        Publish("a", "x");
        EXPECT_FALSE(Read(*passing).empty());
      }
      --running;
    });
  }
  std::uint64_t heard = 0;
  for (bool last = false; !last;) {
    last = running == 0;
    const auto page = steady->Read(1'000'000);
    heard += page.lost + page.messages.size();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(heard, static_cast<std::uint64_t>(kPublishers) * kEach);
}

}  // namespace
}  // namespace holdfast::coordination
