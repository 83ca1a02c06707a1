// A request's body as it arrives, for a handler that takes it in pieces: what is there and not taken yet is bounded,
// and while it is full the connection reads no more, so that a body of any length costs a little memory.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result/result.h"

namespace holdfast::api {

// Put, End and Fail: the connection. Read: one thread at a time, any.
class IncomingBody {
 public:
  // That wait to be taken, and what arrived with the last of them.
  static constexpr std::size_t kMostBytes = std::size_t{1} << 20;

  // `wake` is called from Read when there is room again; not with a lock held.
  explicit IncomingBody(std::function<void()> wake) : wake_(std::move(wake)) {}

  // The next bytes; waits for them as long as the connection does. 0: that was all. An error: the rest will not come,
  // and what came is not the whole.
  Result<std::size_t> Read(char* into, std::size_t size);

  void Put(std::string_view bytes);
  // Nothing is to be put until `wake`.
  bool IsFull();
  void End();
  // Unless it has ended.
  void Fail(Error error);

 private:
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string bytes_;
  std::size_t taken_ = 0;  // of bytes_
  bool stopped_ = false;   // IsFull has said so, and `wake` was not called since
  bool ended_ = false;
  std::optional<Error> failed_;
};

}  // namespace holdfast::api
