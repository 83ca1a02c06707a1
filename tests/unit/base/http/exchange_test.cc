#include "base/http/exchange.h"

#include <gtest/gtest.h>

#include <thread>

namespace holdfast::http {
namespace {

using Event = Exchange::Event;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

Event Next(Exchange& exchange) {
  return exchange.Next(steady_clock::now() + seconds{10}, {});
}
Event NextNow(Exchange& exchange) {
  return exchange.Next(steady_clock::now(), {});
}

TEST(Exchange, TellsWhatHappenedInOrder) {
  Exchange exchange;
  EXPECT_EQ(NextNow(exchange), Event::kTimedOut);
  exchange.Sent();
  EXPECT_TRUE(exchange.sent());
  exchange.Answered(200, {{"A", "b"}});
  exchange.Take("one", nullptr);
  exchange.Take("two", nullptr);
  exchange.Finish(std::nullopt);
  EXPECT_EQ(Next(exchange), Event::kSent);
  EXPECT_EQ(Next(exchange), Event::kAnswered);
  EXPECT_EQ(exchange.status(), 200);
  EXPECT_EQ(Next(exchange), Event::kBytes);
  EXPECT_EQ(exchange.TakeBytes(), "onetwo");
  EXPECT_EQ(Next(exchange), Event::kEnd);
}

// A body's first bytes once overtook the answer's head, and a watch lost its first line.
TEST(Exchange, BytesThatOvertakeTheHeadWaitForIt) {
  Exchange exchange;
  exchange.Take("early", nullptr);
  EXPECT_EQ(NextNow(exchange), Event::kTimedOut);
  exchange.Answered(200, {});
  EXPECT_EQ(Next(exchange), Event::kAnswered);
  EXPECT_EQ(Next(exchange), Event::kBytes);
  EXPECT_EQ(exchange.TakeBytes(), "early");
}

TEST(Exchange, WhatCameBeforeAFailureIsGivenFirst) {
  Exchange exchange;
  exchange.Answered(200, {});
  exchange.Take("half", nullptr);
  exchange.Finish(Exchange::Failure{"broken", false});
  exchange.Finish(std::nullopt);
  EXPECT_EQ(Next(exchange), Event::kAnswered);
  EXPECT_EQ(Next(exchange), Event::kBytes);
  EXPECT_EQ(exchange.TakeBytes(), "half");
  EXPECT_EQ(Next(exchange), Event::kFailed);
  EXPECT_EQ(exchange.failure().message, "broken");
}

TEST(Exchange, HoldsTheWriterBackWhenEnoughIsWaitingAndLetsItGoOn) {
  Exchange exchange;
  exchange.Answered(200, {});
  std::optional<bool> resumed;
  const std::string much(1u << 20, 'x');
  EXPECT_FALSE(exchange.Take(much, [&](bool wanted) { resumed = wanted; }));
  EXPECT_EQ(resumed, std::nullopt);
  EXPECT_EQ(exchange.TakeBytes().size(), much.size());
  EXPECT_EQ(resumed, true);
}

TEST(Exchange, AbandoningTellsAWaitingWriterAndEveryLaterOne) {
  Exchange exchange;
  std::optional<bool> waiting;
  EXPECT_FALSE(exchange.Take(std::string(1u << 20, 'x'), [&](bool wanted) { waiting = wanted; }));
  exchange.Abandon();
  EXPECT_EQ(waiting, false);
  std::optional<bool> later;
  EXPECT_FALSE(exchange.Take("more", [&](bool wanted) { later = wanted; }));
  EXPECT_EQ(later, false);
}

TEST(Exchange, AStopWakesTheWaiter) {
  Exchange exchange;
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_EQ(exchange.Next(steady_clock::now() + seconds{60}, stop.get_token()), Event::kStopped);
}

TEST(Exchange, FinishedCanBeWaitedFor) {
  Exchange exchange;
  EXPECT_FALSE(exchange.WaitFinished(steady_clock::now() + milliseconds{1}));
  std::jthread finisher([&] { exchange.Finish(std::nullopt); });
  EXPECT_TRUE(exchange.WaitFinished(steady_clock::now() + seconds{60}));
}

}  // namespace
}  // namespace holdfast::http
