// How many streams are open, in all and per tenant.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>

#include "base/metrics/metrics.h"

namespace holdfast::coordination {

// Thread-safe. Owned by a shared_ptr: slots keep it alive.
class SubscriberLimits final : public std::enable_shared_from_this<SubscriberLimits> {
 public:
  struct Options {
    std::size_t max_total = 10'000;
    std::size_t max_per_namespace = 5'000;
  };
  explicit SubscriberLimits(const Options& options) : options_(options) {}
  const Options& options() const { return options_; }

  // One subscriber, from Take until it is destroyed.
  class Slot {
   public:
    ~Slot();
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

   private:
    friend class SubscriberLimits;
    Slot(std::shared_ptr<SubscriberLimits> limits, std::string name_space, metrics::Gauge& gauge);
    const std::shared_ptr<SubscriberLimits> limits_;
    const std::string name_space_;
    metrics::Gauge& gauge_;
  };
  enum class Refusal { kTotal, kNamespace };
  // `gauge` counts the slots taken with it; it outlives them.
  std::variant<std::unique_ptr<Slot>, Refusal> Take(std::string_view name_space, metrics::Gauge& gauge);

 private:
  const Options options_;
  std::mutex mutex_;
  std::size_t total_ = 0;                             // guarded by mutex_
  std::map<std::string, std::size_t> by_name_space_;  // guarded by mutex_
};

}  // namespace holdfast::coordination
