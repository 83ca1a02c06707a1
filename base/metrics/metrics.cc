#include "base/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace holdfast::metrics {
namespace {

// Every thread counts on cache lines that it shares with few others, and the sums are handed to prometheus-cpp when
// somebody asks for them. Its own counters are one number each, which two I/O threads at work on the same kind of
// request would take away from each other several times per request.
constexpr std::size_t kStripes = 8;
constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kMostBuckets = 47;

std::size_t OwnStripe() {
  static std::atomic<std::size_t> threads{0};
  static thread_local std::size_t stripe = kStripes;  // a constant, so that no guard is asked on every call
  if (stripe == kStripes) [[unlikely]] {
    stripe = threads.fetch_add(1, std::memory_order_relaxed) % kStripes;
  }
  return stripe;
}

class PrometheusCounter : public Counter {
 public:
  PrometheusCounter(prometheus::Family<prometheus::Counter>& family, const Labels& labels)
      : counter_(family.Add(labels)) {}
  void Increment(double by) override { stripes_[OwnStripe()].value.fetch_add(by, std::memory_order_relaxed); }
  double Value() const override {
    double sum = 0;
    for (const Stripe& stripe : stripes_) sum += stripe.value.load(std::memory_order_relaxed);
    return sum;
  }
  // One call at a time.
  void Publish() {
    const double value = Value();
    counter_.Increment(value - published_);
    published_ = value;
  }

 private:
  struct alignas(kCacheLine) Stripe {
    std::atomic<double> value{0};
  };
  std::array<Stripe, kStripes> stripes_;
  prometheus::Counter& counter_;
  double published_ = 0;
};

class PrometheusGauge : public Gauge {
 public:
  PrometheusGauge(prometheus::Family<prometheus::Gauge>& family, const Labels& labels) : gauge_(family.Add(labels)) {}
  void Set(double value) override { gauge_.Set(value); }
  void Add(double by) override { gauge_.Increment(by); }
  double Value() const override { return gauge_.Value(); }

 private:
  prometheus::Gauge& gauge_;
};

class PrometheusHistogram : public Histogram {
 public:
  PrometheusHistogram(prometheus::Family<prometheus::Histogram>& family, const Labels& labels,
                      const std::vector<double>& buckets)
      : histogram_(family.Add(labels, buckets)), bounds_(buckets), published_(buckets.size() + 1) {
    if (buckets.size() > kMostBuckets) throw std::length_error("more buckets than a histogram has");
  }
  void Observe(double value) override {
    Stripe& stripe = stripes_[OwnStripe()];
    const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
    stripe.counts[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
    stripe.sum.fetch_add(value, std::memory_order_relaxed);
  }
  // One call at a time.
  void Publish() {
    std::vector<double> more(published_.size());
    double sum = 0;
    for (const Stripe& stripe : stripes_) {
      sum += stripe.sum.load(std::memory_order_relaxed);
      for (std::size_t i = 0; i < more.size(); ++i) {
        more[i] += static_cast<double>(stripe.counts[i].load(std::memory_order_relaxed));
      }
    }
    for (std::size_t i = 0; i < more.size(); ++i) {
      const double before = std::exchange(published_[i], more[i]);
      more[i] -= before;
    }
    const double sum_before = std::exchange(published_sum_, sum);
    histogram_.ObserveMultiple(more, sum - sum_before);
  }

 private:
  struct alignas(kCacheLine) Stripe {
    std::array<std::atomic<std::uint64_t>, kMostBuckets + 1> counts{};
    std::atomic<double> sum{0};
  };
  std::array<Stripe, kStripes> stripes_;
  prometheus::Histogram& histogram_;
  const std::vector<double> bounds_;
  std::vector<double> published_;  // by bucket
  double published_sum_ = 0;
};

// One type's families and the wrappers handed out for their children.
template <typename Native, typename Child>
struct Families {
  struct FamilyAndChildren {
    prometheus::Family<Native>* family = nullptr;
    std::map<Labels, std::unique_ptr<Child>> children;
  };
  std::map<std::string, FamilyAndChildren> by_name;

  template <typename Builder, typename... Arguments>
  Child& Get(const Builder& builder, prometheus::Registry& registry, const std::string& name, const std::string& help,
             const Labels& labels, const Arguments&... arguments) {
    try {
      FamilyAndChildren& entry = by_name[name];
      if (entry.family == nullptr) entry.family = &Builder(builder).Name(name).Help(help).Register(registry);
      std::unique_ptr<Child>& child = entry.children[labels];
      if (!child) child = std::make_unique<Child>(*entry.family, labels, arguments...);
      return *child;
    } catch (const std::exception& wrong) {
      std::fprintf(stderr, "metric %s: %s\n", name.c_str(), wrong.what());
      std::abort();
    }
  }

  void Publish() {
    for (auto& [name, entry] : by_name) {
      for (auto& [labels, child] : entry.children) child->Publish();
    }
  }
};

struct Collected {
  std::string name;
  std::string help;
  std::function<std::vector<Sample>()> samples;
};

// One family for each name that has series.
std::vector<prometheus::MetricFamily> FamiliesOf(const std::vector<Collected>& collected) {
  std::map<std::string, prometheus::MetricFamily> families;
  for (const Collected& one : collected) {
    for (const Sample& sample : one.samples()) {
      prometheus::MetricFamily& family = families[one.name];
      if (family.name.empty()) {
        family.name = one.name;
        family.help = one.help;
        family.type = prometheus::MetricType::Gauge;
      }
      prometheus::ClientMetric metric;
      for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
      metric.gauge.value = sample.value;
      family.metric.push_back(std::move(metric));
    }
  }
  std::vector<prometheus::MetricFamily> list;
  for (auto& [name, family] : families) list.push_back(std::move(family));
  return list;
}

}  // namespace

const std::vector<double>& DurationBuckets() {
  static const std::vector<double> buckets{0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                           0.05,    0.1,    0.25,    0.5,    1,     2.5,    5,     10};
  return buckets;
}

class Registry::Impl {
 public:
  Counter& GetCounter(const std::string& name, const std::string& help, const Labels& labels) {
    std::lock_guard lock(mutex_);
    return counters_.Get(prometheus::BuildCounter(), registry_, name, help, labels);
  }

  Gauge& GetGauge(const std::string& name, const std::string& help, const Labels& labels) {
    std::lock_guard lock(mutex_);
    return gauges_.Get(prometheus::BuildGauge(), registry_, name, help, labels);
  }

  Histogram& GetHistogram(const std::string& name, const std::string& help, const Labels& labels,
                          const std::vector<double>& buckets) {
    std::lock_guard lock(mutex_);
    return histograms_.Get(prometheus::BuildHistogram(), registry_, name, help, labels, buckets);
  }

  void OnCollect(std::function<void()> collect) {
    std::lock_guard lock(mutex_);
    collectors_.push_back(std::move(collect));
  }

  void CollectGauges(Collected family) {
    std::lock_guard lock(mutex_);
    collected_.push_back(std::move(family));
  }

  std::string Serialize() {
    std::lock_guard collecting(collecting_);
    // Collectors take children, which takes mutex_; so it is not held while they run.
    for (const std::function<void()>& collect : Collectors()) collect();
    Publish();
    std::vector<prometheus::MetricFamily> families = registry_.Collect();
    for (prometheus::MetricFamily& family : FamiliesOf(CollectedFamilies())) families.push_back(std::move(family));
    // The library keeps children in hash order; a page that reads the same twice can be compared.
    std::sort(families.begin(), families.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (prometheus::MetricFamily& family : families) {
      std::sort(family.metric.begin(), family.metric.end(),
                [](const auto& a, const auto& b) { return a.label < b.label; });
    }
    return prometheus::TextSerializer().Serialize(families);
  }

 private:
  void Publish() {
    std::lock_guard lock(mutex_);
    counters_.Publish();
    histograms_.Publish();
  }

  std::vector<std::function<void()>> Collectors() const {
    std::lock_guard lock(mutex_);
    return collectors_;
  }

  std::vector<Collected> CollectedFamilies() const {
    std::lock_guard lock(mutex_);
    return collected_;
  }

  prometheus::Registry registry_;
  std::mutex collecting_;  // taken before mutex_
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  Families<prometheus::Counter, PrometheusCounter> counters_;
  Families<prometheus::Gauge, PrometheusGauge> gauges_;
  Families<prometheus::Histogram, PrometheusHistogram> histograms_;
  std::vector<std::function<void()>> collectors_;
  std::vector<Collected> collected_;
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Counter& Registry::GetCounter(const std::string& name, const std::string& help, const Labels& labels) {
  return impl_->GetCounter(name, help, labels);
}

Gauge& Registry::GetGauge(const std::string& name, const std::string& help, const Labels& labels) {
  return impl_->GetGauge(name, help, labels);
}

Histogram& Registry::GetHistogram(const std::string& name, const std::string& help, const Labels& labels,
                                  const std::vector<double>& buckets) {
  return impl_->GetHistogram(name, help, labels, buckets);
}

void Registry::OnCollect(std::function<void()> collect) {
  impl_->OnCollect(std::move(collect));
}

void Registry::CollectGauges(std::string name, std::string help, std::function<std::vector<Sample>()> samples) {
  impl_->CollectGauges({std::move(name), std::move(help), std::move(samples)});
}

std::string Registry::Serialize() const {
  return impl_->Serialize();
}

}  // namespace holdfast::metrics
