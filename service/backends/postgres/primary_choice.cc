#include "service/backends/postgres/primary_choice.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <memory>

#include "base/log/log.h"

namespace holdfast::storage::postgres {
namespace {

constexpr std::string_view kDefaultPort = "5432";

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

std::vector<std::string> Split(std::string_view list) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t comma = list.find(',');
    parts.emplace_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

std::vector<HostAndPort> HostsOf(const std::string& url) {
  const std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfoParse(url.c_str(), nullptr));
  if (!options) return {};
  std::string hosts;
  std::string ports;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view name = option->keyword;
    if (name == "hostaddr") return {};
    if (name == "host") hosts = option->val;
    if (name == "port") ports = option->val;
  }
  if (hosts.empty()) return {};
  const std::vector<std::string> host = Split(hosts);
  const std::vector<std::string> port = Split(ports);
  // One port holds for every host; any other number has to match, which libpq complains about.
  if (port.size() != 1 && port.size() != host.size()) return {};
  std::vector<HostAndPort> found;
  for (std::size_t i = 0; i < host.size(); ++i) {
    const std::string& given = port.size() == 1 ? port.front() : port[i];
    found.push_back({host[i], given.empty() ? std::string(kDefaultPort) : given});
  }
  return found;
}

std::vector<HostAndPort> PrimaryChoice::Order(const std::string& url) const {
  std::vector<HostAndPort> hosts = HostsOf(url);
  const std::lock_guard lock(mutex_);
  const auto rank = [&](const HostAndPort& host) {
    if (host == last_) return 0;
    return std::find(refused_.begin(), refused_.end(), host) == refused_.end() ? 1 : 2;
  };
  std::stable_sort(hosts.begin(), hosts.end(),
                   [&](const HostAndPort& a, const HostAndPort& b) { return rank(a) < rank(b); });
  return hosts;
}

Result<std::uint64_t> PrimaryChoice::Take(const HostAndPort& host, const TimelineOf& written) {
  const std::lock_guard lock(mutex_);
  if (written.system == newest_.system && written.timeline < newest_.timeline) {
    if (std::find(refused_.begin(), refused_.end(), host) == refused_.end()) refused_.push_back(host);
    if (last_ == host) last_ = {};
    return Error(ErrorCode::kUnavailable,
                 fmt::format("{}:{} takes writes on timeline {}, but a server promoted since writes timeline {}: it is "
                             "a primary of old, make it a standby; after a restore restart the service",
                             host.host, host.port, written.timeline, newest_.timeline));
  }
  std::erase(refused_, host);
  if (!newest_.system.empty() && (written.system != newest_.system || written.timeline != newest_.timeline)) {
    changes_.fetch_add(1, std::memory_order_release);
    log::Warn("another server is the primary now",
              {{"host", host.host}, {"port", host.port}, {"timeline", written.timeline}});
  }
  newest_ = written;
  last_ = host;
  return changes_.load(std::memory_order_relaxed);
}

}  // namespace holdfast::storage::postgres
