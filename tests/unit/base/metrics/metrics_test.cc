#include "base/metrics/metrics.h"

#include <gtest/gtest.h>

#include <thread>

namespace holdfast::metrics {
namespace {

TEST(Registry, SerializesInTheTextFormatInAFixedOrder) {
  Registry registry;
  registry.GetGauge("holdfast_b", "Entries held.").Set(2.5);
  registry.GetCounter("holdfast_c_total", "Requests.", {{"store", "z"}}).Increment();
  registry.GetCounter("holdfast_c_total", "Requests.", {{"store", "a\"\n\\"}}).Increment(2);
  registry.GetHistogram("holdfast_a_seconds", "Durations.", {}, {0.1, 1}).Observe(0.5);
  EXPECT_EQ(registry.Serialize(),
            "# HELP holdfast_a_seconds Durations.\n"
            "# TYPE holdfast_a_seconds histogram\n"
            "holdfast_a_seconds_count 1\n"
            "holdfast_a_seconds_sum 0.5\n"
            "holdfast_a_seconds_bucket{le=\"0.1\"} 0\n"
            "holdfast_a_seconds_bucket{le=\"1\"} 1\n"
            "holdfast_a_seconds_bucket{le=\"+Inf\"} 1\n"
            "# HELP holdfast_b Entries held.\n"
            "# TYPE holdfast_b gauge\n"
            "holdfast_b 2.5\n"
            "# HELP holdfast_c_total Requests.\n"
            "# TYPE holdfast_c_total counter\n"
            "holdfast_c_total{store=\"a\\\"\\n\\\\\"} 2\n"
            "holdfast_c_total{store=\"z\"} 1\n");
}

TEST(Registry, TheSameNameAndLabelsAreTheSameChild) {
  Registry registry;
  Counter& one = registry.GetCounter("c_total", "C.", {{"a", "1"}, {"b", "2"}});
  Counter& again = registry.GetCounter("c_total", "ignored", {{"b", "2"}, {"a", "1"}});
  Counter& other = registry.GetCounter("c_total", "C.", {{"a", "2"}, {"b", "2"}});
  EXPECT_EQ(&one, &again);
  EXPECT_NE(&one, &other);
  one.Increment(3);
  EXPECT_EQ(again.Value(), 3);
  EXPECT_EQ(other.Value(), 0);
}

TEST(Registry, CollectorsRunBeforeEverySerialize) {
  Registry registry;
  int asked = 0;
  registry.OnCollect([&] {
    ++asked;
    registry.GetGauge("asked", "Times asked.").Set(asked);
  });
  EXPECT_NE(registry.Serialize().find("asked 1\n"), std::string::npos);
  EXPECT_NE(registry.Serialize().find("asked 2\n"), std::string::npos);
}

TEST(Registry, CountsFromManyThreadsWhileSerializing) {
  Registry registry;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&registry, thread] {
        for (int i = 0; i < 500; ++i) {
          registry.GetCounter("c_total", "C.", {{"shard", std::to_string(i % 7)}}).Increment();
          if (thread == 0 && i % 50 == 0) static_cast<void>(registry.Serialize());
        }
      });
    }
  }
  double sum = 0;
  for (int shard = 0; shard < 7; ++shard) {
    sum += registry.GetCounter("c_total", "C.", {{"shard", std::to_string(shard)}}).Value();
  }
  EXPECT_EQ(sum, 4 * 500);
}

TEST(Registry, SerializesWhatEveryThreadObservedOnce) {
  Registry registry;
  Histogram& histogram = registry.GetHistogram("h_seconds", "H.", {}, {1, 2});
  for (int round = 1; round <= 2; ++round) {
    {
      std::vector<std::jthread> threads;
      for (int thread = 0; thread < 12; ++thread) {
        threads.emplace_back([&histogram] {
          for (const double seconds : {0.5, 1.0, 1.5, 8.0}) histogram.Observe(seconds);
        });
      }
    }
    const std::string text = registry.Serialize();
    const auto has = [&](const std::string& line) { return text.find(line + "\n") != std::string::npos; };
    EXPECT_TRUE(has("h_seconds_count " + std::to_string(48 * round))) << text;
    EXPECT_TRUE(has("h_seconds_sum " + std::to_string(132 * round))) << text;
    EXPECT_TRUE(has("h_seconds_bucket{le=\"1\"} " + std::to_string(24 * round))) << text;
    EXPECT_TRUE(has("h_seconds_bucket{le=\"2\"} " + std::to_string(36 * round))) << text;
  }
}

TEST(RegistryDeathTest, ANameOfAnotherTypeAborts) {
  EXPECT_DEATH(
      {
        Registry registry;
        registry.GetCounter("same", "A.");
        registry.GetGauge("same", "B.");
      },
      "metric same");
}

TEST(DurationBuckets, RiseFromFiftyMicrosecondsToTenSeconds) {
  const std::vector<double>& buckets = DurationBuckets();
  EXPECT_TRUE(std::is_sorted(buckets.begin(), buckets.end()));
  EXPECT_EQ(buckets.front(), 0.00005);
  EXPECT_EQ(buckets.back(), 10);
}

TEST(Registry, AGaugeSetShowsWhatItWasGivenLast) {
  Registry registry;
  GaugeSet& one = registry.GetGaugeSet("test_table_bytes", "h", {{"backend", "one"}});
  GaugeSet& other = registry.GetGaugeSet("test_table_bytes", "h", {{"backend", "other"}});
  EXPECT_EQ(registry.Serialize().find("test_table_bytes"), std::string::npos) << "nothing is known yet";
  one.Show({{{{"table", "a"}}, 1}, {{{"table", "b"}}, 2}});
  other.Show({{{}, 3}});
  std::string text = registry.Serialize();
  EXPECT_NE(text.find("test_table_bytes{backend=\"one\",table=\"a\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("test_table_bytes{backend=\"one\",table=\"b\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("test_table_bytes{backend=\"other\"} 3\n"), std::string::npos) << text;
  one.Show({{{{"table", "b"}}, 0}});
  text = registry.Serialize();
  EXPECT_EQ(text.find("table=\"a\""), std::string::npos) << text;
  EXPECT_NE(text.find("test_table_bytes{backend=\"one\",table=\"b\"} 0\n"), std::string::npos) << text;
  EXPECT_NE(text.find("test_table_bytes{backend=\"other\"} 3\n"), std::string::npos) << "another set's";
  one.Show({});
  other.Show({});
  EXPECT_EQ(registry.Serialize().find("test_table_bytes"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::metrics
