// The flat buffer a connection reads into and parses in. Holds the request in progress from its first byte, because the
// request's views reach into it, and whatever the client has sent behind it.
//
//   [ dropped | request: kept bytes | unread bytes | free tail ]
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace holdfast::api {

class InputBuffer {
 public:
  // What an idle connection costs; heads are seldom longer.
  static constexpr std::size_t kInitialBytes = 2048;
  // A buffer that had to grow beyond this is given back between requests.
  static constexpr std::size_t kKeptBytes = 8192;

  // From the first byte of the request in progress.
  std::string_view request() const { return {data_.get() + begin_, end_ - begin_}; }
  // Behind what Consume has taken.
  std::string_view unread() const { return {data_.get() + cursor_, end_ - cursor_}; }

  void Consume(std::size_t bytes) { cursor_ += bytes; }
  // The request is over; its views die, the next one begins where the reading stands.
  void EndRequest();
  // Forgets everything, also unread bytes.
  void Clear() { begin_ = cursor_ = end_ = 0; }

  // Room behind the unread bytes, at least `least`. Moves nothing when there is room; true when the bytes have moved
  // and every view into them is dead.
  bool EnsureTail(std::size_t least);
  std::span<char> tail() { return {data_.get() + end_, capacity_ - end_}; }
  // That many bytes were read into the tail.
  void Commit(std::size_t bytes) { end_ += bytes; }
  // Once everything behind the request's first `kept` bytes has been consumed: gives that room back to the tail.
  void Rewind(std::size_t kept) { cursor_ = end_ = begin_ + kept; }

 private:
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t cursor_ = 0;
  std::size_t end_ = 0;
};

}  // namespace holdfast::api
