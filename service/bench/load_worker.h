// One thread of the load: some connections, one epoll.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "service/bench/load.h"
#include "service/bench/load_connection.h"

namespace holdfast::bench {

// This thread's part of a plan.
struct LoadShare {
  int connections = 1;
  // Open loop: of all requests, numbered by when they are due, those with number % workers == worker.
  std::uint64_t worker = 0;
  std::uint64_t workers = 1;
  std::uint64_t first_key = 0;  // fill: [first_key, end_key)
  std::uint64_t end_key = 0;
};

// Used by one thread.
class LoadWorker {
 public:
  // Both outlive it.
  LoadWorker(const LoadPlan& plan, const addrinfo& address, const LoadShare& share);
  ~LoadWorker();
  LoadWorker(const LoadWorker&) = delete;
  LoadWorker& operator=(const LoadWorker&) = delete;

  // Puts every key of the share once. The error names the answer that was no success.
  Status Fill();
  // The load, from `start`; answers to what was due before `measured_from` are not recorded.
  LoadResult Run(LoadConnection::Time start, LoadConnection::Time measured_from, LoadConnection::Time end);

 private:
  using Time = LoadConnection::Time;
  enum class Phase { kFill, kRun };

  bool HasMore() const;
  bool IsDue(Time now) const;
  void SendNext(LoadConnection& connection);
  void FeedIdle(Time now);
  void Loop(Time give_up);
  void Reopen(LoadConnection& connection);
  void ReopenClosed(Time now);
  void OnEvent(LoadConnection& connection, LoadConnection::Event event);
  void OnAnswer(const LoadConnection& connection);
  void CountError(const LoadConnection& connection, std::string what);
  void CutOverdue(Time now);
  void Watch(LoadConnection& connection, bool added);
  void Wait(Time now);
  Time DueTime(std::uint64_t number) const;
  std::uint64_t Random();
  bool AnyBusy() const;

  const LoadPlan& plan_;
  const addrinfo& address_;
  const LoadShare share_;
  const std::string value_;
  int epoll_ = -1;
  int timer_ = -1;  // open loop: when the next request is due
  std::vector<std::unique_ptr<LoadConnection>> connections_;
  std::string request_;  // reused

  Phase phase_ = Phase::kFill;
  std::uint64_t next_ = 0;  // fill: key; run: number of the request
  Time start_;
  Time measured_from_;
  Time end_;
  Time next_check_;
  std::uint64_t random_;
  LoadResult result_;
  std::string refusal_;  // the first answer to a fill that was no success
};

}  // namespace holdfast::bench
