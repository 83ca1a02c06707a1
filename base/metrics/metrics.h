// The process's metrics, over prometheus-cpp, which no other room includes. Families are made once and kept; taking a
// child (a family with its label values) costs a lock and a map look-up, so hot paths keep the reference it returns.
// Thread-safe. Children live as long as the registry.
// Counting from several threads at once is cheap: each has a cache line of its own (nearly), added up when asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::metrics {

using Labels = std::map<std::string, std::string>;

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Increment(double by = 1) = 0;
  virtual double Value() const = 0;
};

class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
  virtual void Add(double by) = 0;
  virtual double Value() const = 0;
};

class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void Observe(double value) = 0;
};

// One series of a family that is asked for (Registry::CollectGauges).
struct Sample {
  Labels labels;
  double value = 0;
};

// Seconds: 50 us to 10 s, for request and operation durations.
const std::vector<double>& DurationBuckets();

class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // The same name and labels give the same child again, with the help and buckets of the first call. A name that is
  // malformed or already used for another type aborts: names are compile-time constants and published
  // (docs/metrics.md, held by a golden test).
  Counter& GetCounter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& GetGauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram& GetHistogram(const std::string& name, const std::string& help, const Labels& labels,
                          const std::vector<double>& buckets = DurationBuckets());
  // Called at the start of every Serialize, to set gauges whose value is asked for rather than pushed. One at a time,
  // from whichever thread serializes; it must stay callable as long as the registry lives and must not Serialize.
  void OnCollect(std::function<void()> collect);
  // A gauge family about things that come and go: it has exactly the series that `samples` gives at the time of a
  // Serialize, so that what is gone leaves none behind. Given for one name again, the family has the series of all;
  // their labels' sets must be different. Called like the functions of OnCollect, and after them.
  void CollectGauges(std::string name, std::string help, std::function<std::vector<Sample>()> samples);

  // Prometheus text format, version 0.0.4; families by name, children by labels.
  std::string Serialize() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::metrics
