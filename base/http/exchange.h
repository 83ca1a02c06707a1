// One request on its way: the client library's threads report what happens to it, the thread that sent it waits for
// that. Knows neither sockets nor the library. Thread-safe; the library's threads never wait here, and what they hand
// over is bounded: when the sender is behind, the library is told to wait for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/http/http_client.h"

namespace holdfast::http {

class Exchange {
 public:
  struct Failure {
    std::string message;
    // The pooled connection had been closed by the server before it was used: nothing was sent, another one may do.
    bool stale_connection = false;
  };

  // The library's side.
  void Sent();
  void Answered(int status, Headers headers);
  // Copies `bytes`. False when there is enough waiting: then `resume(true)` is called once there is room, or
  // `resume(false)` when nobody will read any more.
  bool Take(std::string_view bytes, std::function<void(bool wanted)> resume);
  // Nothing follows it; the first call counts.
  void Finish(std::optional<Failure> failure);

  // The sender's side.
  enum class Event { kSent, kAnswered, kBytes, kEnd, kFailed, kTimedOut, kStopped };
  // The next thing that happened, each once and in this order; kBytes as often as there are some.
  Event Next(std::chrono::steady_clock::time_point until, std::stop_token stop);
  // Nothing will be read any more; a waiting library goes on and finds out.
  void Abandon();
  // Waits, at most until then, for Finish.
  bool WaitFinished(std::chrono::steady_clock::time_point until);

  bool sent() const;
  // Good once Next has returned the event each belongs to.
  int status() const { return status_; }
  Headers TakeHeaders() { return std::move(headers_); }
  std::string TakeBytes();
  Failure failure() const;

 private:
  std::optional<Event> NextLocked();

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  // Guarded by mutex_ (status_ and headers_ are written once, before answered_):
  bool sent_ = false;
  bool sent_seen_ = false;
  bool answered_ = false;
  bool answered_seen_ = false;
  bool finished_ = false;
  bool abandoned_ = false;
  int status_ = 0;
  Headers headers_;
  std::string bytes_;
  std::function<void(bool)> resume_;
  std::optional<Failure> failure_;
};

}  // namespace holdfast::http
