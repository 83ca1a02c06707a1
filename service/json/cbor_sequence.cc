#include "service/json/cbor_sequence.h"

#include <cstdint>
#include <optional>
#include <vector>

#include "service/json/json_value.h"

namespace holdfast::json {
namespace {

constexpr unsigned kIndefinite = 31;
constexpr unsigned kBreak = 0xff;
enum Major : unsigned { kBytes = 2, kText = 3, kArray = 4, kMap = 5, kTag = 6 };

struct Head {
  unsigned major = 0;
  bool indefinite = false;
  std::uint64_t argument = 0;
};

Error NoItem() {
  return {ErrorCode::kInvalidArgument, "is no CBOR"};
}

// Walks over one item; what containers still need is on a stack.
class Walk {
 public:
  explicit Walk(std::string_view bytes) : bytes_(bytes) {}

  Result<std::size_t> Size() {
    open_.push_back(1);
    while (!open_.empty()) {
      if (next_ >= bytes_.size()) return 0;
      if (TakeBreak()) continue;
      HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Head> head, ReadHead());
      if (!head) return 0;
      if (open_.back()) --*open_.back();
      HOLDFAST_RETURN_IF_ERROR(Enter(*head));
      if (next_ > bytes_.size()) return 0;
      while (!open_.empty() && open_.back() && *open_.back() == 0) open_.pop_back();
    }
    return next_;
  }

 private:
  bool TakeBreak() {
    if (open_.back() || static_cast<unsigned char>(bytes_[next_]) != kBreak) return false;
    ++next_;
    open_.pop_back();
    while (!open_.empty() && open_.back() && *open_.back() == 0) open_.pop_back();
    return true;
  }

  // nullopt: it goes on behind the end.
  Result<std::optional<Head>> ReadHead() {
    const auto first = static_cast<unsigned char>(bytes_[next_++]);
    Head head;
    head.major = first >> 5;
    const unsigned info = first & 31;
    head.argument = info;
    head.indefinite = info == kIndefinite && head.major >= kBytes && head.major <= kMap;
    if (head.indefinite || info < 24) return std::optional(head);
    if (info > 27) return NoItem();
    const std::size_t size = std::size_t{1} << (info - 24);
    if (bytes_.size() - next_ < size) return std::optional<Head>();
    head.argument = 0;
    for (std::size_t i = 0; i < size; ++i) {
      head.argument = head.argument << 8 | static_cast<unsigned char>(bytes_[next_ + i]);
    }
    next_ += size;
    return std::optional(head);
  }

  Status Enter(const Head& head) {
    const bool text = head.major == kBytes || head.major == kText;
    if (text && !head.indefinite) {
      // Behind the end: the caller sees that, also of a length that no memory has.
      next_ = head.argument > bytes_.size() - next_ ? bytes_.size() + 1 : next_ + head.argument;
      return {};
    }
    if (head.major < kBytes || head.major > kTag) return {};
    if (open_.size() > JsonLimits().max_depth) return NoItem();
    if (head.indefinite) {
      open_.emplace_back();
    } else if (head.major == kTag) {
      open_.emplace_back(1);
    } else {
      if (head.argument > JsonLimits().max_values) return NoItem();
      open_.emplace_back(head.major == kMap ? 2 * head.argument : head.argument);
    }
    return {};
  }

  const std::string_view bytes_;
  std::size_t next_ = 0;
  std::vector<std::optional<std::uint64_t>> open_;  // items that are missing; nullopt: until the break
};

}  // namespace

Result<std::size_t> CborItemSize(std::string_view bytes) {
  return Walk(bytes).Size();
}

}  // namespace holdfast::json
