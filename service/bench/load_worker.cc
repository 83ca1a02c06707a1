#include "service/bench/load_worker.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

namespace holdfast::bench {
namespace {

// How often overdue answers and lost connections are looked for.
constexpr std::chrono::milliseconds kCheckInterval{50};

itimerspec At(std::chrono::steady_clock::time_point time) {
  const auto since = time.time_since_epoch();  // steady_clock is CLOCK_MONOTONIC here
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
  itimerspec spec{};
  spec.it_value.tv_sec = seconds.count();
  spec.it_value.tv_nsec = std::chrono::duration_cast<std::chrono::nanoseconds>(since - seconds).count();
  return spec;
}

}  // namespace

LoadWorker::LoadWorker(const LoadPlan& plan, const addrinfo& address, const LoadShare& share)
    : plan_(plan),
      address_(address),
      share_(share),
      value_(plan.value_bytes, 'x'),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      random_((share.worker + 1) * 0x9e3779b97f4a7c15u | 1) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event);
  for (int i = 0; i < share.connections; ++i) connections_.push_back(std::make_unique<LoadConnection>());
}

LoadWorker::~LoadWorker() {
  connections_.clear();
  close(timer_);
  close(epoll_);
}

Status LoadWorker::Fill() {
  phase_ = Phase::kFill;
  next_ = share_.first_key;
  const Time now = std::chrono::steady_clock::now();
  start_ = measured_from_ = now;
  end_ = Time::max();
  // As long as there is progress; a service that hangs is found by the timeout of its requests.
  Loop(Time::max());
  if (!refusal_.empty()) return Error(ErrorCode::kInvalidArgument, refusal_);
  if (!result_.errors.empty()) {
    return Error(ErrorCode::kUnavailable, fmt::format("writing the keys failed: {}", result_.errors.begin()->first));
  }
  return {};
}

LoadResult LoadWorker::Run(Time start, Time measured_from, Time end) {
  phase_ = Phase::kRun;
  result_ = {};
  next_ = 0;
  start_ = start;
  measured_from_ = measured_from;
  end_ = end;
  Loop(end + plan_.timeout);
  if (plan_.rate > 0) {
    for (const auto& connection : connections_) {
      if (connection->busy() && connection->due() >= measured_from_) ++result_.unanswered;
    }
    if (HasMore()) {
      const double late = std::chrono::duration<double>(end_ - DueTime(next_)).count();
      result_.unanswered += std::max<std::uint64_t>(
          1, static_cast<std::uint64_t>(late * plan_.rate / static_cast<double>(share_.workers)));
    }
  }
  return std::move(result_);
}

void LoadWorker::Loop(Time give_up) {
  std::array<epoll_event, 256> events;
  next_check_ = Time::min();
  for (Time now = std::chrono::steady_clock::now(); now < give_up; now = std::chrono::steady_clock::now()) {
    if (now >= next_check_) {
      next_check_ = now + kCheckInterval;
      CutOverdue(now);
      ReopenClosed(now);
    }
    FeedIdle(now);
    if (!HasMore() && !AnyBusy()) return;
    if (phase_ == Phase::kFill && (!refusal_.empty() || !result_.errors.empty())) return;
    Wait(now);
    const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 10);
    for (int i = 0; i < ready; ++i) {
      auto* const connection = static_cast<LoadConnection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (connection == nullptr) {
        std::uint64_t expirations = 0;
        static_cast<void>(!read(timer_, &expirations, sizeof(expirations)));
        continue;
      }
      OnEvent(*connection, connection->OnReady());
    }
  }
}

bool LoadWorker::HasMore() const {
  if (phase_ == Phase::kFill) return next_ < share_.end_key;
  return plan_.rate > 0 ? DueTime(next_) < end_ : std::chrono::steady_clock::now() < end_;
}

bool LoadWorker::IsDue(Time now) const {
  return HasMore() && (phase_ == Phase::kFill || (plan_.rate > 0 ? DueTime(next_) <= now : now >= start_));
}

LoadWorker::Time LoadWorker::DueTime(std::uint64_t number) const {
  return start_ + std::chrono::nanoseconds(static_cast<std::int64_t>(
                      static_cast<double>(number * share_.workers + share_.worker) / plan_.rate * 1e9));
}

void LoadWorker::FeedIdle(Time now) {
  for (const auto& connection : connections_) {
    if (!connection->idle()) continue;
    if (!IsDue(now)) return;
    SendNext(*connection);
  }
}

void LoadWorker::SendNext(LoadConnection& connection) {
  const Time now = std::chrono::steady_clock::now();
  const std::uint64_t number = next_++;
  const bool fill = phase_ == Phase::kFill;
  const std::uint64_t key = fill ? number : Random() % plan_.keys;
  const bool put = fill || static_cast<double>(Random() >> 11) * 0x1p-53 >= plan_.reads;
  request_.clear();
  fmt::format_to(std::back_inserter(request_), "{} /v1/stores/{}/keys/{}{} HTTP/1.1\r\nHost: {}:{}\r\n{}",
                 put ? "PUT" : "GET", plan_.store, plan_.key_prefix, key, plan_.host, plan_.port, plan_.headers);
  if (put) {
    fmt::format_to(std::back_inserter(request_), "Content-Length: {}\r\n\r\n{}", value_.size(), value_);
  } else {
    request_.append("\r\n");
  }
  connection.Send(request_, put, fill || plan_.rate <= 0 ? now : DueTime(number));
  if (connection.wants_to_write()) Watch(connection, false);
}

void LoadWorker::Watch(LoadConnection& connection, bool added) {
  epoll_event event{};
  event.events = EPOLLIN | (connection.wants_to_write() ? static_cast<std::uint32_t>(EPOLLOUT) : 0u);
  event.data.ptr = &connection;
  epoll_ctl(epoll_, added ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, connection.socket(), &event);
}

void LoadWorker::Reopen(LoadConnection& connection) {
  connection.Close();
  if (connection.Open(address_)) Watch(connection, true);
}

void LoadWorker::ReopenClosed(Time) {
  for (const auto& connection : connections_) {
    if (connection->socket() < 0) Reopen(*connection);
  }
}

void LoadWorker::OnEvent(LoadConnection& connection, LoadConnection::Event event) {
  switch (event) {
    case LoadConnection::Event::kNothing:
      if (connection.busy() && !connection.wants_to_write()) Watch(connection, false);
      return;
    case LoadConnection::Event::kOpened:
      Watch(connection, false);
      break;
    case LoadConnection::Event::kAnswered:
      OnAnswer(connection);
      break;
    case LoadConnection::Event::kBroken:
      if (connection.busy()) CountError(connection, "connection");
      connection.Close();  // opened again at the next check, not in a tight circle
      return;
  }
  if (IsDue(std::chrono::steady_clock::now())) SendNext(connection);
}

void LoadWorker::OnAnswer(const LoadConnection& connection) {
  const int status = connection.status();
  const bool expected = connection.is_put() ? status == 201 || status == 204 : status == 200;
  if (!expected) {
    const bool refused = status >= 400 && status < 500 && status != 408 && status != 429;
    if (phase_ == Phase::kFill && refused) {
      refusal_ =
          fmt::format("the service answers {} to a PUT of a key; see --store, --namespace, --token-file", status);
    }
    CountError(connection, std::to_string(status));
    return;
  }
  if (phase_ == Phase::kFill || connection.due() < measured_from_) return;
  const Time now = std::chrono::steady_clock::now();
  (connection.is_put() ? result_.puts : result_.gets).Record(now - connection.due());
  result_.elapsed = now - measured_from_;
}

void LoadWorker::CountError(const LoadConnection& connection, std::string what) {
  if (phase_ == Phase::kFill || connection.due() >= measured_from_) ++result_.errors[std::move(what)];
}

void LoadWorker::CutOverdue(Time now) {
  for (const auto& connection : connections_) {
    if (connection->Waiting(now) < plan_.timeout) continue;
    CountError(*connection, "timeout");
    Reopen(*connection);
  }
}

void LoadWorker::Wait(Time now) {
  if (phase_ != Phase::kRun || plan_.rate <= 0 || !HasMore()) return;
  const bool idle = std::any_of(connections_.begin(), connections_.end(), [](const auto& c) { return c->idle(); });
  if (!idle) return;  // an answer comes before anything can be sent
  const itimerspec due = At(std::max(DueTime(next_), now));
  timerfd_settime(timer_, TFD_TIMER_ABSTIME, &due, nullptr);
}

// xorshift64* (Vigna, 2014).
std::uint64_t LoadWorker::Random() {
  random_ ^= random_ >> 12;
  random_ ^= random_ << 25;
  random_ ^= random_ >> 27;
  return random_ * 0x2545f4914f6cdd1du;
}

bool LoadWorker::AnyBusy() const {
  return std::any_of(connections_.begin(), connections_.end(), [](const auto& c) { return c->busy(); });
}

}  // namespace holdfast::bench
