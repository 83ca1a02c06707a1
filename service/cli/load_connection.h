// One keep-alive connection of the load generator: non-blocking, at most one request under way. Not thread-safe. Knows
// as much of HTTP/1.1 as answers to single keys need: a status, and a body of a stated length.
#pragma once

#include <netdb.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::cli {

class LoadConnection {
 public:
  LoadConnection() = default;
  ~LoadConnection() { Close(); }
  LoadConnection(LoadConnection&& other) noexcept;
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;

  // What has happened since the last call.
  struct Event {
    int status = 0;       // of an answer that is complete; 0 = none
    std::string failure;  // the connection is closed; empty = it is not, or the server closed it between two requests
  };

  // Begins to connect; an error is told by the next Advance.
  void Open(const addrinfo& address);
  void Close();
  // The connection is open or being opened and `Busy` is false.
  void Send(std::string_view request);
  // Does what can be done without waiting.
  Event Advance();

  int descriptor() const { return descriptor_; }  // -1 = closed
  bool Busy() const { return busy_; }
  short PollEvents() const;

 private:
  Event Fail(std::string failure);
  bool Flush();
  // Reads the head of an answer once it is there; false when it is none that is understood.
  bool TakeHead();

  int descriptor_ = -1;
  int open_error_ = 0;
  bool connecting_ = false;
  bool busy_ = false;
  bool keep_alive_ = true;
  std::string unsent_;
  std::size_t sent_ = 0;
  std::string received_;
  int status_ = 0;                          // 0 = the head is not complete
  std::optional<std::uint64_t> body_left_;  // behind the head
};

}  // namespace holdfast::cli
