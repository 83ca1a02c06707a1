// Values of secondary indexes and the rows they stand in. Encoded bytes order as the values do, no encoding is a prefix
// of another, and any bytes are taken apart or refused.
#include "service/documents/index_value.h"

#include <bit>
#include <cmath>
#include <compare>
#include <string>

#include "service/documents/rows.h"
#include "tests/fuzz/input.h"

namespace holdfast::documents {
namespace {

using fuzz::Check;

// Not below 9: room for one escaped byte and the end.
constexpr std::size_t kMaxStringBytes = 64;

IndexValue Take(fuzz::Input& input) {
  switch (input.Byte() % 8) {
    case 0:
      return Missing{};
    case 1:
      return Null{};
    case 2:
      return input.Byte() % 2 == 1;
    case 3:
      return static_cast<std::int64_t>(input.Number());
    case 4: {
      const double number = std::bit_cast<double>(input.Number());
      return std::isfinite(number) ? number : 0.5;
    }
    case 5:
      return Composite{};
    default:
      return std::string(input.Line());
  }
}

// The order of index_value.h, stated once more without a byte of the encoding. long double holds every 64-bit integer
// and every double exactly (x86-64: 64 bits of mantissa).
int Rank(const IndexValue& value) {
  static constexpr int kRanks[] = {0, 1, 2, 3, 3, 4, 5};
  return kRanks[value.index()];
}
long double NumberOf(const IndexValue& value) {
  const auto* integer = std::get_if<std::int64_t>(&value);
  return integer != nullptr ? static_cast<long double>(*integer) : static_cast<long double>(std::get<double>(value));
}
std::partial_ordering Order(const IndexValue& a, const IndexValue& b) {
  if (Rank(a) != Rank(b)) return Rank(a) <=> Rank(b);
  if (Rank(a) == 2) return std::get<bool>(a) <=> std::get<bool>(b);
  if (Rank(a) == 3) return NumberOf(a) <=> NumberOf(b);
  if (Rank(a) == 4) return std::get<std::string>(a).compare(std::get<std::string>(b)) <=> 0;
  return std::partial_ordering::equivalent;
}

void CheckPair(const IndexValue& a, const IndexValue& b) {
  const std::string left = EncodeIndexValue(a, kMaxStringBytes);
  const std::string right = EncodeIndexValue(b, kMaxStringBytes);
  Check(IndexValueBytes(left) == left.size(), "its own bytes are one value");
  Check(IndexValueBytes(left + "id") == left.size(), "an id may follow");
  Check(SameKind(a).Contains(left), "a value is of its own kind");
  Check(SameKind(a).Contains(right) == (Rank(a) == Rank(b)), "and only of that");
  const auto by_bytes = left.compare(right) <=> 0;
  if (IsCut(left) && IsCut(right)) return;  // where both were cut, order ends
  Check(by_bytes == Order(a, b), "bytes order as values do");
  if (left != right) Check(!left.starts_with(right) && !right.starts_with(left), "none begins with another");
}

void CheckRow(const IndexValue& value, std::string_view id) {
  const std::string encoded = EncodeIndexValue(value, kMaxStringBytes);
  const std::string key = IndexRowKey(7, 3, encoded, id);
  Check(IndexRowsOf(7, 3).Contains(key) && IndexRowsOf(7).Contains(key), "a row stands in its index");
  Check(!IndexRowsOf(7, 4).Contains(key) && !IndexRowsOf(8).Contains(key), "and in no other");
  const auto row = ParseIndexRow(key);
  Check(row && row->value == encoded && row->id == id, "a row comes back");
}

}  // namespace
}  // namespace holdfast::documents

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::documents;
  using holdfast::fuzz::Check;
  const std::string_view bytes = holdfast::fuzz::Input(data, size).Rest();
  Check(IndexValueBytes(bytes) <= size, "no value is longer than its bytes");
  if (const auto row = ParseIndexRow(bytes)) {
    Check(row->value.size() + row->id.size() <= size, "the parts of a row lie in it");
  }
  holdfast::fuzz::Input input(data, size);
  const IndexValue a = Take(input);
  const IndexValue b = Take(input);
  CheckPair(a, b);
  CheckPair(b, a);
  if (!input.Rest().empty()) CheckRow(a, input.Rest());
  return 0;
}
