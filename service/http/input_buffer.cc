#include "service/http/input_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace holdfast::api {

void InputBuffer::EndRequest() {
  begin_ = cursor_;
  if (begin_ != end_) return;
  Clear();
  if (capacity_ > kKeptBytes) {
    data_.reset();
    capacity_ = 0;
  }
}

bool InputBuffer::EnsureTail(std::size_t least) {
  if (capacity_ - end_ >= least) return false;
  const std::size_t held = end_ - begin_;
  if (capacity_ >= held + least) {
    std::memmove(data_.get(), data_.get() + begin_, held);
  } else {
    const std::size_t capacity = std::max({kInitialBytes, capacity_ * 2, held + least});
    std::unique_ptr<char[]> grown(new char[capacity]);  // uninitialised: make_unique would clear it
    if (held > 0) std::memcpy(grown.get(), data_.get() + begin_, held);
    data_ = std::move(grown);
    capacity_ = capacity;
  }
  cursor_ -= begin_;
  end_ = held;
  begin_ = 0;
  return true;
}

}  // namespace holdfast::api
