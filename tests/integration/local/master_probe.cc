#include "tests/integration/local/master_probe.h"

#include <algorithm>
#include <memory>
#include <stop_token>

#include "base/redis/connection.h"

namespace holdfast::local {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint16_t kPort = 6379;
constexpr std::chrono::milliseconds kPause{20};
// A server that was stopped answers when it goes on.
constexpr std::chrono::seconds kPatience{2};

}  // namespace

MasterProbe::MasterProbe(std::vector<Server> servers, Login login) : login_(std::move(login)) {
  for (Server& server : servers) {
    threads_.emplace_back([this, server = std::move(server)](const std::stop_token& stop) { Watch(server, stop); });
  }
}

void MasterProbe::Stop() {
  threads_.clear();
}

void MasterProbe::Watch(const Server& server, const std::stop_token& stop) {
  const redis::Address address{.host = server.address, .port = kPort, .unix_path = {}};
  redis::Options options;
  options.target.addresses = {address};
  options.target.tls = true;
  options.target.user = login_.user;
  options.target.password = login_.password;
  options.tls.ca = login_.authority;
  options.tls.server_name = server.pod + ".default.svc";
  std::unique_ptr<redis::Connection> connection;
  std::string process;
  while (!stop.stop_requested()) {
    std::this_thread::sleep_for(kPause);
    const Deadline deadline = Deadline::After(kPatience);
    if (connection == nullptr) {
      auto opened = redis::Connection::Open(address, options, redis::Connection::Expect::kNothing, deadline);
      if (!opened.ok()) continue;
      connection = std::move(opened).value();
      const auto info = connection->Run(redis::Effect::kRead, {"INFO", "server"}, deadline);
      const std::string text = info.ok() && info->IsString() ? info->text() : std::string();
      const std::size_t at = text.find("run_id:");
      const std::string now = at == std::string::npos ? std::string() : text.substr(at, text.find('\r', at) - at);
      if (now != process) Break(server.pod);
      process = now;
    }
    const Clock::time_point sent = Clock::now();
    const auto reply = connection->Run(redis::Effect::kWrite, {"SET", "holdfast:probe:" + server.pod, "1"}, deadline);
    if (reply.ok()) {
      Note(server.pod, sent);
    } else if (reply.error().code() == ErrorCode::kOutcomeUnknown ||
               reply.error().code() == ErrorCode::kDeadlineExceeded) {
      connection.reset();
    } else {
      // READONLY, NOREPLICAS, or gone.
      if (!connection->usable()) connection.reset();
      Break(server.pod);
    }
  }
}

void MasterProbe::Note(const std::string& pod, Time sent) {
  const std::lock_guard lock(mutex_);
  ++writes_;
  const auto found = open_.find(pod);
  if (found != open_.end()) {
    stints_[found->second].last = sent;
    return;
  }
  open_[pod] = stints_.size();
  stints_.push_back({pod, Clock::now(), sent});
}

void MasterProbe::Break(const std::string& pod) {
  const std::lock_guard lock(mutex_);
  open_.erase(pod);
}

std::vector<MasterProbe::Stint> MasterProbe::stints() const {
  const std::lock_guard lock(mutex_);
  return stints_;
}

std::uint64_t MasterProbe::writes() const {
  const std::lock_guard lock(mutex_);
  return writes_;
}

std::chrono::milliseconds MasterProbe::LongestWithTwo() const {
  const std::vector<Stint> all = stints();
  Clock::duration longest{};
  for (const Stint& one : all) {
    for (const Stint& other : all) {
      if (one.pod >= other.pod) continue;
      longest = std::max(longest, std::min(one.last, other.last) - std::max(one.first, other.first));
    }
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(longest);
}

}  // namespace holdfast::local
