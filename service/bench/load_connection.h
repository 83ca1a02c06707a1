// One keep-alive connection of the load: sends one request at a time and takes the answer apart, without blocking.
// Plain HTTP/1.1, and of the answers only what a key's GET and PUT can give: a Content-Length, or none at all.
#pragma once

#include <netdb.h>

#include <chrono>
#include <string>
#include <string_view>

namespace holdfast::bench {

class LoadConnection {
 public:
  using Time = std::chrono::steady_clock::time_point;

  enum class Event {
    kNothing,   // wait until the socket is ready again
    kOpened,    // the connection stands
    kAnswered,  // status() is the answer's
    kBroken,    // closed, refused or not understood; Close and Open again
  };

  LoadConnection() = default;
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;
  ~LoadConnection() { Close(); }

  // Begins to connect; false when not even that is possible.
  bool Open(const addrinfo& address);
  void Close();

  // Only when idle(). `due`: from when the latency runs.
  void Send(std::string_view request, bool is_put, Time due);
  // The socket is ready.
  Event OnReady();

  int socket() const { return socket_; }
  bool open() const { return state_ == State::kIdle || state_ == State::kBusy; }
  bool idle() const { return state_ == State::kIdle; }
  bool busy() const { return state_ == State::kBusy; }
  bool wants_to_write() const { return state_ == State::kConnecting || written_ < out_.size(); }
  int status() const { return status_; }
  bool is_put() const { return is_put_; }
  Time due() const { return due_; }
  // How long it has been waiting to be connected or answered; zero when it waits for nothing.
  std::chrono::nanoseconds Waiting(Time now) const {
    return state_ == State::kConnecting || state_ == State::kBusy ? now - since_ : std::chrono::nanoseconds{0};
  }

 private:
  enum class State { kClosed, kConnecting, kIdle, kBusy };

  bool Write();
  Event Read();
  // Whether the whole answer is there; kBroken when it never will be.
  Event TakeAnswer();

  State state_ = State::kClosed;
  int socket_ = -1;
  std::string out_;
  std::size_t written_ = 0;
  std::string in_;
  std::size_t answer_bytes_ = 0;  // of the whole answer; 0 until its head was read
  int status_ = 0;
  bool is_put_ = false;
  Time due_;
  Time since_;
};

}  // namespace holdfast::bench
