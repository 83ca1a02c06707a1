// How much was written, by client and verb: what tests hold an idle operator to. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "operator/local/api_server/api_server.h"

namespace holdfast::local {

class WriteCounter {
 public:
  void Add(const std::string& user_agent, const std::string& verb, bool changed) {
    std::lock_guard lock(mutex_);
    WriteCount& count = counts_[{user_agent, verb}];
    ++count.requests;
    if (changed) ++count.changes;
  }

  std::map<std::string, WriteCount> Of(std::string_view user_agent) const {
    std::lock_guard lock(mutex_);
    std::map<std::string, WriteCount> sums;
    for (const auto& [key, count] : counts_) {
      if (!key.first.starts_with(user_agent)) continue;
      sums[key.second].requests += count.requests;
      sums[key.second].changes += count.changes;
    }
    return sums;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, WriteCount> counts_;  // guarded by mutex_; by client name and verb
};

}  // namespace holdfast::local
