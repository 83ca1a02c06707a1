#include "service/http/admission.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace holdfast::api {

Admission::Admission(const ServerLimits& limits, std::size_t max_descriptors)
    : limits_(limits), first_reserved_(max_descriptors - std::min(limits.reserved_descriptors, max_descriptors / 2)) {}

Admission::Verdict Admission::Enter(const boost::asio::ip::address& address, int descriptor) {
  // The kernel gives out the lowest number that is free, so all below this one are taken.
  if (static_cast<std::size_t>(descriptor) >= first_reserved_) return Verdict::kFewDescriptors;
  if (connections_.fetch_add(1) >= limits_.max_connections) {
    connections_.fetch_sub(1);
    return Verdict::kTooMany;
  }
  if (!EnterAddress(address)) {
    connections_.fetch_sub(1);
    return Verdict::kTooManyOfAddress;
  }
  return Verdict::kAdmitted;
}

bool Admission::EnterAddress(const boost::asio::ip::address& address) {
  if (limits_.max_connections_per_address == 0) return true;
  const std::lock_guard lock(mutex_);
  std::size_t& count = of_address_[address];
  if (count >= limits_.max_connections_per_address) return false;
  ++count;
  return true;
}

bool Admission::Leave(const boost::asio::ip::address& address) {
  if (limits_.max_connections_per_address > 0) {
    const std::lock_guard lock(mutex_);
    const auto found = of_address_.find(address);
    if (--found->second == 0) of_address_.erase(found);
  }
  return connections_.fetch_sub(1) == 1;
}

std::size_t MaxDescriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return std::numeric_limits<std::size_t>::max();
  }
  return limit.rlim_cur;
}

}  // namespace holdfast::api
