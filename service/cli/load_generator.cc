#include "service/cli/load_generator.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "service/cli/load_connection.h"

namespace holdfast::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Instant = SteadyClock::time_point;

constexpr std::size_t kMostThreads = 4;
constexpr std::chrono::milliseconds kLookAround{50};  // for `stop`, and for answers that are overdue
constexpr std::chrono::milliseconds kBeforeReconnect{50};

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Result<Addresses> Resolve(const LoadPlan& plan) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(plan.host.c_str(), plan.port.c_str(), &hints, &found);
  if (error != 0) {
    return Error(ErrorCode::kUnavailable, fmt::format("{}: {}", plan.host, ::gai_strerror(error)));
  }
  return Addresses(found, &::freeaddrinfo);
}

// Not to be compressed: what is measured shall not depend on how well one letter compresses.
std::string RandomValue(std::size_t size) {
  std::mt19937_64 random(1);
  std::string value(size, '\0');
  for (char& byte : value) byte = static_cast<char>(random() & 0xff);
  return value;
}

struct Request {
  bool put = false;
  std::size_t key = 0;
  Instant due;   // latency counts from here
  Instant sent;  // and the time-out from here
};

// Which request is due when: one thread's share of them.
class Schedule {
 public:
  Schedule(const LoadPlan& plan, std::size_t thread, std::size_t threads, Instant start)
      : plan_(plan), random_(thread + 1), thread_(thread), threads_(threads), start_(start) {}
  // Every key once instead.
  void EveryKey() { next_key_ = thread_; }

  // When the next one is due; none = no further one.
  std::optional<Instant> Due(Instant now) const {
    if (next_key_) return *next_key_ < plan_.keys ? std::optional(now) : std::nullopt;
    const Instant end = start_ + plan_.duration;
    if (!plan_.rate) return now < end ? std::optional(now) : std::nullopt;
    const double place = static_cast<double>(given_ * threads_ + thread_);
    const Instant due = start_ + std::chrono::nanoseconds(static_cast<std::int64_t>(place * 1e9 / *plan_.rate));
    return due < end ? std::optional(due) : std::nullopt;
  }
  Request Take(Instant due) {
    ++given_;
    if (next_key_) {
      const std::size_t key = *next_key_;
      *next_key_ += threads_;
      return {true, key, due, {}};
    }
    const bool put = std::uniform_real_distribution<>(0, 1)(random_) < plan_.puts;
    return {put, static_cast<std::size_t>(random_() % plan_.keys), due, {}};
  }
  // No request becomes due any more; some may wait.
  bool Over(Instant now) const { return !next_key_ && now >= start_ + plan_.duration; }
  bool open_loop() const { return plan_.rate && !next_key_; }

 private:
  const LoadPlan& plan_;
  std::mt19937_64 random_;
  const std::size_t thread_;
  const std::size_t threads_;
  const Instant start_;
  std::uint64_t given_ = 0;
  std::optional<std::size_t> next_key_;
};

class Worker {
 public:
  Worker(const LoadPlan& plan, const addrinfo& address, const std::string& value, Schedule schedule,
         std::size_t connections, bool until_failure, const std::atomic<bool>& stop)
      : plan_(plan),
        address_(address),
        value_(value),
        schedule_(std::move(schedule)),
        until_failure_(until_failure),
        stop_(stop),
        slots_(connections) {
    common_headers_ = fmt::format("Host: {}:{}\r\n", plan.host, plan.port);
    if (!plan.authorization.empty()) common_headers_ += fmt::format("Authorization: {}\r\n", plan.authorization);
  }

  LoadResult Run() {
    for (Slot& slot : slots_) slot.connection.Open(address_);
    std::optional<Instant> give_up;
    while (true) {
      const Instant now = SteadyClock::now();
      const bool ended = stop_ || (until_failure_ && result_.failed > 0);
      const std::optional<Instant> due = ended ? std::nullopt : Dispatch(now);
      const bool busy = std::any_of(slots_.begin(), slots_.end(), [](const Slot& s) { return s.connection.Busy(); });
      if (!give_up && (!due || schedule_.Over(now))) give_up = now + plan_.timeout;
      if ((!due && !busy) || (give_up && now >= *give_up)) break;
      Wait(due, now);
    }
    GiveUpTheRest();
    return std::move(result_);
  }

 private:
  struct Slot {
    LoadConnection connection;
    Request request;
    Instant reopen_at;  // of a closed one
  };

  // Gives what is due to free connections. When the next one is due, which may be past when all are taken.
  std::optional<Instant> Dispatch(Instant now) {
    std::optional<Instant> due = schedule_.Due(now);
    for (Slot& slot : slots_) {
      if (slot.connection.descriptor() < 0) {
        if (now < slot.reopen_at) continue;
        slot.connection.Open(address_);
      }
      if (slot.connection.Busy()) continue;
      if (!due || *due > now) break;
      slot.request = schedule_.Take(*due);
      slot.request.sent = now;
      slot.connection.Send(Format(slot.request));
      due = schedule_.Due(now);
    }
    return due;
  }

  std::string_view Format(const Request& request) {
    text_.clear();
    auto out = std::back_inserter(text_);
    fmt::format_to(out, "{} {}{} HTTP/1.1\r\n{}", request.put ? "PUT" : "GET", plan_.keys_path, request.key,
                   common_headers_);
    if (request.put) {
      fmt::format_to(out, "Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n", value_.size());
      text_ += value_;
    } else {
      text_ += "\r\n";
    }
    return text_;
  }

  void Wait(std::optional<Instant> due, Instant now) {
    polled_.clear();
    bool any_free = false;
    for (const Slot& slot : slots_) {
      polled_.push_back({slot.connection.descriptor(), slot.connection.PollEvents(), 0});
      any_free |= slot.connection.descriptor() >= 0 && !slot.connection.Busy();
    }
    std::chrono::nanoseconds wait = kLookAround;
    if (due && any_free) wait = std::clamp(std::chrono::nanoseconds(*due - now), std::chrono::nanoseconds(0), wait);
    const timespec patience{0, static_cast<long>(wait.count())};
    static_cast<void>(::ppoll(polled_.data(), polled_.size(), &patience, nullptr));
    const Instant later = SteadyClock::now();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      // One that could not even be opened has no descriptor to be polled, and a reason to be told.
      const bool unopened = polled_[i].fd < 0 && slots_[i].connection.Busy();
      if (polled_[i].revents != 0 || unopened) Look(slots_[i], later);
      if (slots_[i].connection.Busy() && later - slots_[i].request.sent >= plan_.timeout) {
        Unanswered(slots_[i].request, later);
        slots_[i].connection.Close();
      }
    }
  }

  void Look(Slot& slot, Instant now) {
    const bool was_busy = slot.connection.Busy();
    const LoadConnection::Event event = slot.connection.Advance();
    if (event.status != 0) {
      const bool good = slot.request.put ? event.status == 201 || event.status == 204 : event.status == 200;
      if (good) {
        Histogram(slot.request).Record(SteadyClock::now() - slot.request.due);
      } else {
        ++result_.failed;
        ++result_.refused[event.status];
      }
    } else if (!event.failure.empty()) {
      if (result_.first_failure.empty()) result_.first_failure = event.failure;
      slot.reopen_at = now + kBeforeReconnect;
      if (was_busy) Unanswered(slot.request, now);
    }
  }

  void Unanswered(const Request& request, Instant now) {
    ++result_.failed;
    ++result_.unanswered;
    Histogram(request).Record(now - request.due);
  }

  void GiveUpTheRest() {
    const Instant now = SteadyClock::now();
    for (const Slot& slot : slots_) {
      if (slot.connection.Busy()) Unanswered(slot.request, now);
    }
    if (!schedule_.open_loop() || stop_) return;
    for (auto due = schedule_.Due(now); due; due = schedule_.Due(now)) Unanswered(schedule_.Take(*due), now);
  }

  LatencyHistogram& Histogram(const Request& request) { return request.put ? result_.puts : result_.gets; }

  const LoadPlan& plan_;
  const addrinfo& address_;
  const std::string& value_;
  Schedule schedule_;
  const bool until_failure_;
  const std::atomic<bool>& stop_;
  std::vector<Slot> slots_;
  std::string common_headers_;
  std::string text_;
  std::vector<pollfd> polled_;
  LoadResult result_;
};

Result<LoadResult> RunWorkers(const LoadPlan& plan, bool every_key, const std::atomic<bool>& stop) {
  HOLDFAST_ASSIGN_OR_RETURN(const Addresses addresses, Resolve(plan));
  const std::string value = RandomValue(plan.value_size);
  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  const std::size_t threads = std::min({plan.connections, cores, kMostThreads});
  const Instant start = SteadyClock::now();
  std::vector<LoadResult> results(threads);
  std::vector<std::thread> running;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      Schedule schedule(plan, thread, threads, start);
      if (every_key) schedule.EveryKey();
      const std::size_t connections = plan.connections / threads + (thread < plan.connections % threads ? 1 : 0);
      results[thread] = Worker(plan, *addresses, value, std::move(schedule), connections, every_key, stop).Run();
    });
  }
  for (std::thread& thread : running) thread.join();
  LoadResult all;
  for (const LoadResult& result : results) all.Merge(result);
  all.elapsed = SteadyClock::now() - start;
  return all;
}

}  // namespace

void LoadResult::Merge(const LoadResult& other) {
  gets.Merge(other.gets);
  puts.Merge(other.puts);
  failed += other.failed;
  for (const auto& [status, count] : other.refused) refused[status] += count;
  unanswered += other.unanswered;
  if (first_failure.empty()) first_failure = other.first_failure;
  elapsed = std::max(elapsed, other.elapsed);
}

Result<LoadResult> RunLoad(const LoadPlan& plan, const std::atomic<bool>& stop) {
  return RunWorkers(plan, false, stop);
}

Result<LoadResult> WriteEveryKey(const LoadPlan& plan, const std::atomic<bool>& stop) {
  return RunWorkers(plan, true, stop);
}

}  // namespace holdfast::cli
