// A TCP connection to the service on this machine, for what no well-behaved client would send.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast {

class RawSocket {
 public:
  // Fails the test when it cannot connect.
  explicit RawSocket(std::uint16_t port);
  ~RawSocket();
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  void Send(std::string_view bytes) const;
  // To the peer as if the connection were closed; what it still sends can be read.
  void FinishSending() const;
  // Reads until `end` has come, the peer closes, or ten seconds have passed.
  std::string ReadUntil(std::string_view end) const;

 private:
  int descriptor_;
};

// A socket that listens on a free port of this machine and never accepts.
class TakenPort {
 public:
  TakenPort();
  ~TakenPort();
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  int descriptor_;
  std::uint16_t port_ = 0;
};

}  // namespace holdfast
