// A socket to a Redis server: TCP, TLS over it, or a Unix socket. Bytes only.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>

#include "base/redis/interrupt.h"
#include "base/redis/options.h"
#include "base/redis/url.h"
#include "base/result/result.h"
#include "base/time/deadline.h"

namespace holdfast::redis {

// One thread at a time.
class Stream {
 public:
  // `tls` and `interrupt` may be null; `interrupt` outlives the stream. The peer's certificate has to be vouched for
  // and to name the host. kUnavailable names the address and the reason; kInvalidArgument for files that are not what
  // they should be; kDeadlineExceeded, kCancelled.
  static Result<std::unique_ptr<Stream>> Connect(const Address& address, const TlsFiles* tls, Deadline deadline,
                                                 const Interrupt* interrupt);
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Some of `bytes`, and how many; at least one. kUnavailable when the connection is lost, kDeadlineExceeded,
  // kCancelled.
  virtual Result<std::size_t> Write(std::string_view bytes, Deadline deadline) = 0;
  // At least one byte. The same errors.
  virtual Result<std::size_t> Read(char* buffer, std::size_t size, Deadline deadline) = 0;
  // The peer has closed it, or sent what was not read.
  virtual bool HungUp() = 0;
  // From now on nothing interrupts it.
  virtual void ForgetInterrupt() = 0;

 protected:
  Stream() = default;
};

}  // namespace holdfast::redis
