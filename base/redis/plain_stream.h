// TCP and Unix sockets, not blocking.
#pragma once

#include "base/redis/stream.h"

namespace holdfast::redis {

// How a peer that is gone without a word is found by connections that only listen.
inline constexpr int kKeepAliveIdleSeconds = 15;
inline constexpr int kKeepAliveIntervalSeconds = 5;
inline constexpr int kKeepAliveProbes = 3;

class PlainStream final : public Stream {
 public:
  static Result<std::unique_ptr<PlainStream>> Connect(const Address& address, Deadline deadline,
                                                      const Interrupt* interrupt);
  ~PlainStream() override;

  Result<std::size_t> Write(std::string_view bytes, Deadline deadline) override;
  Result<std::size_t> Read(char* buffer, std::size_t size, Deadline deadline) override;
  bool HungUp() override;
  void ForgetInterrupt() override { interrupt_ = nullptr; }

  // For TLS above it. One attempt that does not wait: -1 with errno, as send and recv.
  long TryWrite(const char* bytes, std::size_t size) const;
  long TryRead(char* buffer, std::size_t size) const;
  Status AwaitEvents(short events, Deadline deadline) const;

 private:
  PlainStream(int descriptor, const Interrupt* interrupt) : descriptor_(descriptor), interrupt_(interrupt) {}

  const int descriptor_;
  const Interrupt* interrupt_;
};

}  // namespace holdfast::redis
