// Writes directly to every Redis server of a backend, without pause, and remembers when each of them took it: whether
// two were masters at once, and for how long.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace holdfast::local {

class MasterProbe {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Server {
    std::string pod;
    std::string address;  // which it keeps
  };
  struct Login {
    std::string user;
    std::string password;
    std::string authority;  // a file
  };
  // For how long without a break a server took writes. It ends when the server refuses one, or is another process.
  struct Stint {
    std::string pod;
    Time first;  // acknowledged
    Time last;   // sent, of the last that was acknowledged
  };

  MasterProbe(std::vector<Server> servers, Login login);
  ~MasterProbe() { Stop(); }
  MasterProbe(const MasterProbe&) = delete;
  MasterProbe& operator=(const MasterProbe&) = delete;

  void Stop();
  std::vector<Stint> stints() const;
  // The longest time in which two took writes; zero: never.
  std::chrono::milliseconds LongestWithTwo() const;
  std::uint64_t writes() const;

 private:
  void Watch(const Server& server, const std::stop_token& stop);
  void Note(const std::string& pod, Time sent);
  void Break(const std::string& pod);

  const Login login_;
  mutable std::mutex mutex_;
  std::vector<Stint> stints_;                // guarded by mutex_, and so are the next two
  std::map<std::string, std::size_t> open_;  // by pod: which of them goes on
  std::uint64_t writes_ = 0;
  std::vector<std::jthread> threads_;
};

}  // namespace holdfast::local
