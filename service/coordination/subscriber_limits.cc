#include "service/coordination/subscriber_limits.h"

namespace holdfast::coordination {

std::variant<std::unique_ptr<SubscriberLimits::Slot>, SubscriberLimits::Refusal> SubscriberLimits::Take(
    std::string_view name_space, metrics::Gauge& gauge) {
  std::string name(name_space);
  {
    std::lock_guard lock(mutex_);
    if (total_ >= options_.max_total) return Refusal::kTotal;
    const auto found = by_name_space_.try_emplace(name, 0).first;
    if (found->second >= options_.max_per_namespace) return Refusal::kNamespace;
    ++found->second;
    ++total_;
  }
  return std::unique_ptr<Slot>(new Slot(shared_from_this(), std::move(name), gauge));
}

SubscriberLimits::Slot::Slot(std::shared_ptr<SubscriberLimits> limits, std::string name_space, metrics::Gauge& gauge)
    : limits_(std::move(limits)), name_space_(std::move(name_space)), gauge_(gauge) {
  gauge_.Add(1);
}

SubscriberLimits::Slot::~Slot() {
  gauge_.Add(-1);
  std::lock_guard lock(limits_->mutex_);
  --limits_->total_;
  const auto found = limits_->by_name_space_.find(name_space_);
  if (--found->second == 0) limits_->by_name_space_.erase(found);
}

}  // namespace holdfast::coordination
