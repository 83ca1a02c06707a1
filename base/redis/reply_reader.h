// Bytes from a server to Values, by hiredis' reader; bounded, because the peer may be anybody. Arrays nest at most
// seven deep, which is what hiredis can.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "base/redis/value.h"
#include "base/result/result.h"

struct redisReader;

namespace holdfast::redis {

// Not thread-safe. After an Error it is of no more use.
class ReplyReader {
 public:
  // Of one reply, nested arrays included.
  ReplyReader(std::size_t max_bytes, std::size_t max_elements);
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  // What has come. In small portions: hiredis moves what it holds at nearly every reply that is taken.
  Status Feed(std::string_view bytes);
  // The next reply that is complete, or nothing. kInternal when the bytes are no replies, or a limit is passed.
  Result<std::optional<Value>> Next();
  // Nothing has come that was not taken.
  bool empty() const { return pending_ == 0; }

 private:
  struct Freed {
    void operator()(redisReader* reader) const;
  };

  Error Failure() const;

  const std::size_t max_bytes_;
  const std::size_t max_elements_;
  std::size_t pending_ = 0;   // bytes since the last complete reply
  std::size_t elements_ = 0;  // that the reply being read has announced
  bool too_many_elements_ = false;
  bool out_of_memory_ = false;
  std::unique_ptr<redisReader, Freed> reader_;

  friend struct ReplyBuilder;
};

}  // namespace holdfast::redis
