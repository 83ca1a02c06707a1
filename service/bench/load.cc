#include "service/bench/load.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

#include "service/bench/load_connection.h"
#include "service/bench/load_worker.h"

namespace holdfast::bench {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* addresses) const { freeaddrinfo(addresses); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Result<Addresses> Resolve(const LoadPlan& plan) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(plan.host.c_str(), plan.port.c_str(), &hints, &found);
  if (error != 0) {
    return Error(ErrorCode::kUnavailable, fmt::format("{} is not known: {}", plan.host, gai_strerror(error)));
  }
  return Addresses(found);
}

// The first address that takes a connection.
Result<const addrinfo*> Reachable(const addrinfo* address, const LoadPlan& plan) {
  const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(plan.timeout);
  for (; address != nullptr; address = address->ai_next) {
    LoadConnection probe;
    if (!probe.Open(*address)) continue;
    pollfd ready{probe.socket(), POLLOUT, 0};
    if (poll(&ready, 1, static_cast<int>(timeout.count())) <= 0) continue;
    if (probe.OnReady() == LoadConnection::Event::kOpened) return address;
  }
  return Error(ErrorCode::kUnavailable,
               fmt::format("nothing answers at {}:{}; is the service running there? Say where with --url", plan.host,
                           plan.port));
}

std::vector<LoadShare> Divide(const LoadPlan& plan) {
  const int threads = std::min(plan.connections, std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
  std::vector<LoadShare> shares;
  for (int i = 0; i < threads; ++i) {
    const auto part = [&](std::uint64_t whole, int before) {
      return whole * static_cast<std::uint64_t>(before) / static_cast<std::uint64_t>(threads);
    };
    LoadShare share;
    const auto connections = static_cast<std::uint64_t>(plan.connections);
    share.connections = static_cast<int>(part(connections, i + 1) - part(connections, i));
    share.worker = static_cast<std::uint64_t>(i);
    share.workers = static_cast<std::uint64_t>(threads);
    share.first_key = part(plan.keys, i);
    share.end_key = part(plan.keys, i + 1);
    shares.push_back(share);
  }
  return shares;
}

template <typename Work>
void OnThreads(std::vector<std::unique_ptr<LoadWorker>>& workers, const Work& work) {
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    threads.emplace_back([&workers, &work, i] { work(*workers[i], i); });
  }
}

}  // namespace

Result<LoadResult> RunLoad(const LoadPlan& plan) {
  HOLDFAST_ASSIGN_OR_RETURN(const Addresses addresses, Resolve(plan));
  HOLDFAST_ASSIGN_OR_RETURN(const addrinfo* const address, Reachable(addresses.get(), plan));
  std::vector<std::unique_ptr<LoadWorker>> workers;
  for (const LoadShare& share : Divide(plan)) workers.push_back(std::make_unique<LoadWorker>(plan, *address, share));

  if (plan.fill) {
    std::vector<Status> filled(workers.size());
    OnThreads(workers, [&filled](LoadWorker& worker, std::size_t i) { filled[i] = worker.Fill(); });
    for (Status& status : filled) HOLDFAST_RETURN_IF_ERROR(std::move(status));
  }
  std::vector<LoadResult> parts(workers.size());
  const auto start = std::chrono::steady_clock::now();
  OnThreads(workers, [&](LoadWorker& worker, std::size_t i) {
    parts[i] = worker.Run(start, start + plan.warmup, start + plan.warmup + plan.duration);
  });
  LoadResult whole;
  for (const LoadResult& part : parts) {
    whole.gets.Add(part.gets);
    whole.puts.Add(part.puts);
    for (const auto& [what, count] : part.errors) whole.errors[what] += count;
    whole.unanswered += part.unanswered;
    whole.elapsed = std::max(whole.elapsed, part.elapsed);
  }
  return whole;
}

}  // namespace holdfast::bench
