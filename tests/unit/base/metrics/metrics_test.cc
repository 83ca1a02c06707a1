#include "base/metrics/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "base/metrics/process_metrics.h"

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

TEST(Registry, CollectedGaugesHaveTheSeriesOfTheMomentAndNoOthers) {
  Registry registry;
  std::vector<Sample> samples{{{{"name", "b"}}, 2}, {{{"name", "a"}}, 1}};
  registry.CollectGauges("things", "What there is.", [&] { return samples; });
  EXPECT_EQ(registry.Serialize(),
            "# HELP things What there is.\n# TYPE things gauge\nthings{name=\"a\"} 1\nthings{name=\"b\"} 2\n");
  samples = {{{{"name", "a"}}, 3}};
  EXPECT_EQ(registry.Serialize(), "# HELP things What there is.\n# TYPE things gauge\nthings{name=\"a\"} 3\n");
  samples.clear();
  EXPECT_EQ(registry.Serialize(), "");
}

TEST(ProcessMetrics, TellWhatTheKernelSays) {
  Registry registry;
  AddProcessMetrics(registry);
  const auto value = [&](const std::string& name) {
    const std::string text = registry.Serialize();
    const std::size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1.0 : std::strtod(text.c_str() + at + name.size() + 2, nullptr);
  };
  const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_NEAR(value("process_start_time_seconds"), now, 3600);
  EXPECT_GE(value("process_open_fds"), 3);
  EXPECT_GE(value("process_max_fds"), value("process_open_fds"));
  EXPECT_GT(value("process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(value("process_virtual_memory_bytes"), value("process_resident_memory_bytes"));
  EXPECT_GE(value("process_virtual_memory_max_bytes"), value("process_virtual_memory_bytes"));
  const double before = value("process_cpu_seconds_total");
  EXPECT_GE(before, 0);
  EXPECT_GE(value("process_cpu_seconds_total"), before);
  const double open = value("process_open_fds");
  const int more = dup(0);
  EXPECT_EQ(value("process_open_fds"), open + 1);
  close(more);
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

TEST(Registry, AFamilyHasTheSeriesOfAllWhoGiveSome) {
  Registry registry;
  std::vector<Sample> one;
  std::vector<Sample> other;
  registry.CollectGauges("test_table_bytes", "h", [&] { return one; });
  registry.CollectGauges("test_table_bytes", "h", [&] { return other; });
  EXPECT_EQ(registry.Serialize().find("test_table_bytes"), std::string::npos) << "nothing is known yet";
  one = {{{{"backend", "one"}, {"table", "a"}}, 1}, {{{"backend", "one"}, {"table", "b"}}, 2}};
  other = {{{{"backend", "other"}}, 3}};
  std::string text = registry.Serialize();
  EXPECT_NE(text.find("test_table_bytes{backend=\"one\",table=\"a\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("test_table_bytes{backend=\"one\",table=\"b\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("test_table_bytes{backend=\"other\"} 3\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("# TYPE test_table_bytes"), text.rfind("# TYPE test_table_bytes")) << text;
  one.clear();
  text = registry.Serialize();
  EXPECT_EQ(text.find("backend=\"one\""), std::string::npos) << text;
  EXPECT_NE(text.find("test_table_bytes{backend=\"other\"} 3\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace holdfast::metrics
