// Stands between a client and an S3 server and does at a request what networks and servers do to requests. Where it
// strikes is said by the request and its number, never by a clock. Plain HTTP on this machine. Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/time/deadline.h"

namespace holdfast::s3_servers {

enum class Fault {
  kNone,
  kRefuse,         // the connection ends, and the server has heard nothing
  kCutRequest,     // the server gets half of the request, then both connections end
  kSwallowAnswer,  // the server does it, then the client's connection ends without an answer
  kHold,           // nothing goes on until Release, or until the client has gone
  kHoldInMiddle,   // the server has half of the request, and nothing goes on likewise
  kHoldAnswer,     // the server has done it, and nothing goes on likewise
  kDeliverLate,    // the server gets it at Release, also when the client has gone long before
  kSlowDown,       // 503 SlowDown, and the server has heard nothing
  kSlowDownLong,   // likewise, with Retry-After: 3600
  kFlipRequest,    // the last byte of the body is another one
  kFlipAnswer,     // likewise of the answer
};

class S3Proxy {
 public:
  // `number`: of the request since Strike, from 0. `head`: its first line and its headers.
  using Decide = std::function<Fault(int number, const std::string& head)>;

  explicit S3Proxy(std::uint16_t server_port);
  ~S3Proxy();
  S3Proxy(const S3Proxy&) = delete;
  S3Proxy& operator=(const S3Proxy&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // From now on; null: everything passes. Called with a lock held.
  void Strike(Decide decide);
  // Heads of the requests since Strike.
  std::vector<std::string> heads() const;
  // False: no request was held before the deadline.
  bool AwaitHeld(Deadline deadline);
  void Release();
  // So many requests the server has answered whose client had gone.
  int late() const { return late_; }

 private:
  void AcceptLoop();
  void Serve(int client);
  bool Exchange(int client, int server, const std::string& head, std::string request);
  Fault Next(const std::string& head);
  // Until Release, or until this is to end, or the client has gone, which is not looked at for -1.
  void Hold(int client);

  const std::uint16_t server_port_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> late_{0};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Decide decide_;                     // guarded by mutex_
  std::vector<std::string> heads_;    // guarded by mutex_
  int held_ = 0;                      // guarded by mutex_
  int released_ = 0;                  // guarded by mutex_
  std::vector<std::thread> serving_;  // touched by the accepting thread, and behind its end
  std::thread acceptor_;
};

}  // namespace holdfast::s3_servers
