#include "base/redis/reply_reader.h"

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <algorithm>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::redis {

// What hiredis calls, from C: nothing may be thrown through it. It asks for the parts of a reply in their order, so
// that the place of a nested value stays where it is for as long as hiredis knows of it.
struct ReplyBuilder {
  // An array is not trusted about its size: it grows with what really comes.
  static constexpr std::size_t kTrustedElements = 1'024;

  static ReplyReader& ReaderOf(const redisReadTask* task) { return *static_cast<ReplyReader*>(task->privdata); }

  // Never null save when memory is short, which ends the reading.
  static void* Place(const redisReadTask* task, Value value) {
    try {
      if (task->parent == nullptr) return new Value(std::move(value));
      std::vector<Value>& siblings = static_cast<Value*>(task->parent->obj)->elements();
      return &siblings.emplace_back(std::move(value));
    } catch (const std::bad_alloc&) {
      ReaderOf(task).out_of_memory_ = true;
      return nullptr;
    }
  }

  static void* OfString(const redisReadTask* task, char* bytes, std::size_t size) {
    try {
      std::string text(bytes, size);
      if (task->type == REDIS_REPLY_ERROR) return Place(task, Value::ErrorLine(std::move(text)));
      if (task->type == REDIS_REPLY_STATUS) return Place(task, Value::StatusLine(std::move(text)));
      return Place(task, Value::String(std::move(text)));
    } catch (const std::bad_alloc&) {
      ReaderOf(task).out_of_memory_ = true;
      return nullptr;
    }
  }

  template <typename Count>
  static void* OfArray(const redisReadTask* task, Count announced) {
    ReplyReader& reader = ReaderOf(task);
    const auto elements = static_cast<std::size_t>(announced);
    reader.elements_ += elements;
    if (reader.elements_ > reader.max_elements_) {
      reader.too_many_elements_ = true;
      return nullptr;
    }
    try {
      std::vector<Value> values;
      values.reserve(std::min(elements, kTrustedElements));
      return Place(task, Value::Array(std::move(values)));
    } catch (const std::bad_alloc&) {
      reader.out_of_memory_ = true;
      return nullptr;
    }
  }

  static void* OfInteger(const redisReadTask* task, long long number) { return Place(task, Value::Integer(number)); }
  static void* OfNil(const redisReadTask* task) { return Place(task, Value()); }
  // Only of a whole reply.
  static void Free(void* value) { delete static_cast<Value*>(value); }

  static redisReplyObjectFunctions* Functions() {
    static redisReplyObjectFunctions functions = [] {
      redisReplyObjectFunctions made{};
      made.createString = OfString;
      made.createArray = OfArray;
      made.createInteger = OfInteger;
      made.createNil = OfNil;
      made.freeObject = Free;
      return made;
    }();
    return &functions;
  }
};

void ReplyReader::Freed::operator()(redisReader* reader) const {
  redisReaderFree(reader);
}

ReplyReader::ReplyReader(std::size_t max_bytes, std::size_t max_elements)
    : max_bytes_(max_bytes),
      max_elements_(max_elements),
      reader_(redisReaderCreateWithFunctions(ReplyBuilder::Functions())) {
  if (!reader_) throw std::bad_alloc();
  reader_->privdata = this;
}

ReplyReader::~ReplyReader() = default;

Error ReplyReader::Failure() const {
  if (too_many_elements_) {
    return {ErrorCode::kInternal, fmt::format("a reply has {} elements or more, the limit max_reply_elements is {}",
                                              elements_, max_elements_)};
  }
  if (out_of_memory_) return {ErrorCode::kInternal, "there is no memory for a reply"};
  return {ErrorCode::kInternal, "the peer does not speak the Redis protocol"};
}

Status ReplyReader::Feed(std::string_view bytes) {
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) return Failure();
  pending_ += bytes.size();
  return {};
}

Result<std::optional<Value>> ReplyReader::Next() {
  void* taken = nullptr;
  if (redisReaderGetReply(reader_.get(), &taken) != REDIS_OK) return Failure();
  if (taken == nullptr) {
    if (pending_ > max_bytes_) {
      return Error(ErrorCode::kInternal,
                   fmt::format("a reply has more than {} bytes, the limit max_reply_bytes", max_bytes_));
    }
    return std::optional<Value>();
  }
  const std::unique_ptr<Value> value(static_cast<Value*>(taken));
  pending_ = reader_->len - reader_->pos;
  elements_ = 0;
  return std::optional<Value>(std::move(*value));
}

}  // namespace holdfast::redis
