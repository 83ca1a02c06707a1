// A way into or out of a member that can be cut as a network is: what is open stays open, and nothing comes through.
// Plain TCP on this machine. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace holdfast::patroni_cluster {

struct Endpoint {
  std::string address;  // dotted
  std::uint16_t port = 0;
};

class PartitionProxy {
 public:
  // Listens on `here` (port 0: any) and forwards to `there`, which need not listen yet.
  PartitionProxy(const Endpoint& here, Endpoint there);
  ~PartitionProxy();
  PartitionProxy(const PartitionProxy&) = delete;
  PartitionProxy& operator=(const PartitionProxy&) = delete;

  std::uint16_t port() const { return port_; }
  void Cut() { cut_ = true; }
  // What was sent meanwhile arrives now, as TCP would send it again.
  void Heal() { cut_ = false; }

 private:
  void AcceptLoop();
  void Pump(int client);

  const Endpoint there_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> cut_{false};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> pumps_;  // touched by the accepting thread, and behind its end
  std::thread acceptor_;
};

}  // namespace holdfast::patroni_cluster
