#include "service/documents/index_value.h"

#include <bit>
#include <cmath>
#include <cstdlib>

namespace holdfast::documents {
namespace {

enum Tag : char {
  kMissing = 0x08,
  kNull = 0x10,
  kFalse = 0x18,
  kTrue = 0x19,
  kNumber = 0x20,
  kString = 0x30,
  kComposite = 0x40,
};

constexpr std::size_t kNumberBytes = 10;  // behind the tag
// Within a string a zero byte is {0, 0xff}. Its end is {0, 1}, or {0, 2} where it was cut: behind everything that
// ends at the same place, and before everything that goes on with another byte.
constexpr char kZero = '\0';
constexpr char kEscapedZero = '\xff';
constexpr char kEnd = '\x01';
constexpr char kCut = '\x02';

void AppendBigEndian(std::uint64_t bits, int bytes, std::string* out) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out->push_back(static_cast<char>(bits >> shift));
}

// Doubles in the order of their values: negative ones have all bits turned, others the sign bit.
std::uint64_t OrderedBits(double number) {
  constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
  const auto bits = std::bit_cast<std::uint64_t>(number + 0.0);  // -0.0 becomes 0.0
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}

// The largest double that is not above the number.
double RoundDown(std::int64_t number) {
  auto rounded = static_cast<double>(number);
  // 2^63 is no int64; below it the conversion back is exact.
  if (rounded >= 0x1p63 || static_cast<std::int64_t>(rounded) > number) rounded = std::nextafter(rounded, -HUGE_VAL);
  return rounded;
}

// A double and what an integer has above it, which is below 1024: doubles lie at most that far apart in the range of
// 64-bit integers.
void AppendNumber(double floor, std::uint64_t remainder, std::string* out) {
  if (!std::isfinite(floor)) std::abort();
  out->push_back(kNumber);
  AppendBigEndian(OrderedBits(floor), 8, out);
  AppendBigEndian(remainder, 2, out);
}

void AppendString(std::string_view text, std::size_t most, std::string* out) {
  out->push_back(kString);
  std::size_t used = 0;
  for (const char byte : text) {
    const std::size_t needed = byte == '\0' ? 2 : 1;
    if (used + needed > most) {
      out->append({kZero, kCut});
      return;
    }
    used += needed;
    out->push_back(byte);
    if (byte == '\0') out->push_back(kEscapedZero);
  }
  out->append({kZero, kEnd});
}

struct Append {
  std::size_t max_string_bytes;
  std::string* out;

  void operator()(Missing) const { out->push_back(kMissing); }
  void operator()(Null) const { out->push_back(kNull); }
  void operator()(bool value) const { out->push_back(value ? kTrue : kFalse); }
  void operator()(std::int64_t number) const {
    const double floor = RoundDown(number);
    AppendNumber(floor, static_cast<std::uint64_t>(number - static_cast<std::int64_t>(floor)), out);
  }
  void operator()(double number) const { AppendNumber(number, 0, out); }
  void operator()(const std::string& text) const { AppendString(text, max_string_bytes, out); }
  void operator()(Composite) const { out->push_back(kComposite); }
};

std::size_t StringBytes(std::string_view text) {
  std::size_t position = 1;
  for (;;) {
    position = text.find(kZero, position);
    if (position == std::string_view::npos || position + 1 == text.size()) return 0;
    const char next = text[position + 1];
    position += 2;
    if (next == kEnd || next == kCut) return position;
    if (next != kEscapedZero) return 0;
  }
}

}  // namespace

void AppendIndexValue(const IndexValue& value, std::size_t max_string_bytes, std::string* out) {
  std::visit(Append{max_string_bytes, out}, value);
}

std::string EncodeIndexValue(const IndexValue& value, std::size_t max_string_bytes) {
  std::string encoded;
  AppendIndexValue(value, max_string_bytes, &encoded);
  return encoded;
}

std::size_t IndexValueBytes(std::string_view text) {
  if (text.empty()) return 0;
  switch (text.front()) {
    case kMissing:
    case kNull:
    case kFalse:
    case kTrue:
    case kComposite:
      return 1;
    case kNumber:
      return text.size() > kNumberBytes ? 1 + kNumberBytes : 0;
    case kString:
      return StringBytes(text);
    default:
      return 0;
  }
}

bool IsCut(std::string_view encoded) {
  return encoded.front() == kString && encoded.back() == kCut;
}

storage::KeyRange SameKind(const IndexValue& value) {
  const char tag = EncodeIndexValue(value, 0).front();
  storage::KeyRange range = storage::KeyRange::Prefix(std::string(1, tag));
  if (std::holds_alternative<bool>(value)) range = {std::string(1, kFalse), std::string(1, kTrue + 1)};
  return range;
}

}  // namespace holdfast::documents
