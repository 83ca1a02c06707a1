#include "service/backends/postgres/array_codec.h"

#include <array>

namespace holdfast::storage::postgres {
namespace {

constexpr std::size_t kHeaderBytes = 20;

void PutBigEndian(std::string& to, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) to[at + i] = static_cast<char>(value >> (24 - 8 * i));
}

template <typename Number>
std::string_view BigEndian(Number value, std::array<char, 8>& buffer) {
  using Unsigned = std::make_unsigned_t<Number>;
  constexpr std::size_t kBytes = sizeof(Number);
  const auto bits = static_cast<Unsigned>(value);
  for (std::size_t i = 0; i < kBytes; ++i) {
    buffer[i] = static_cast<char>(static_cast<std::uint64_t>(bits) >> (8 * (kBytes - 1 - i)));
  }
  return {buffer.data(), kBytes};
}

constexpr std::array<std::int8_t, 256> HexDigits() {
  std::array<std::int8_t, 256> digits{};
  digits.fill(-1);
  for (int i = 0; i < 10; ++i) digits[static_cast<std::size_t>('0' + i)] = static_cast<std::int8_t>(i);
  for (int i = 0; i < 6; ++i) {
    digits[static_cast<std::size_t>('a' + i)] = static_cast<std::int8_t>(10 + i);
    digits[static_cast<std::size_t>('A' + i)] = static_cast<std::int8_t>(10 + i);
  }
  return digits;
}
constexpr std::array<std::int8_t, 256> kDigits = HexDigits();

std::optional<std::string> FromHex(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes(hex.size() / 2, '\0');
  int wrong = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = kDigits[static_cast<unsigned char>(hex[2 * i])];
    const int low = kDigits[static_cast<unsigned char>(hex[2 * i + 1])];
    wrong |= high | low;
    bytes[i] = static_cast<char>((high << 4) | (low & 0xf));
  }
  if (wrong < 0) return std::nullopt;
  return bytes;
}

}  // namespace

ArrayParameter::ArrayParameter(Type type) : bytes_(kHeaderBytes, '\0') {
  PutBigEndian(bytes_, 8, static_cast<std::uint32_t>(type));
  PutBigEndian(bytes_, 16, 1);  // the first element's index
}

void ArrayParameter::AddNull() {
  ++nulls_;
}

void ArrayParameter::AddLength(std::uint32_t length) {
  const std::size_t at = bytes_.size();
  bytes_.resize(at + 4);
  PutBigEndian(bytes_, at, length);
}

void ArrayParameter::AddBytes(std::string_view bytes) {
  for (; nulls_ > 0; --nulls_) {
    AddLength(0xffff'ffff);
    ++elements_;
    holds_nulls_ = true;
  }
  AddLength(static_cast<std::uint32_t>(bytes.size()));
  bytes_.append(bytes);
  ++elements_;
}

void ArrayParameter::AddBoolean(bool value) {
  const char byte = value ? 1 : 0;
  AddBytes({&byte, 1});
}

void ArrayParameter::AddSmallint(std::int16_t value) {
  std::array<char, 8> buffer{};
  AddBytes(BigEndian(value, buffer));
}

void ArrayParameter::AddInteger(std::int32_t value) {
  std::array<char, 8> buffer{};
  AddBytes(BigEndian(value, buffer));
}

void ArrayParameter::AddBigint(std::int64_t value) {
  std::array<char, 8> buffer{};
  AddBytes(BigEndian(value, buffer));
}

void ArrayParameter::AddBigint(const std::optional<std::int64_t>& value) {
  if (value) {
    AddBigint(*value);
  } else {
    AddNull();
  }
}

const std::string& ArrayParameter::Encoded() {
  if (elements_ == 0) {
    bytes_.resize(12);  // no dimension
    return bytes_;
  }
  PutBigEndian(bytes_, 0, 1);
  PutBigEndian(bytes_, 4, holds_nulls_ ? 1 : 0);
  PutBigEndian(bytes_, 12, elements_);
  return bytes_;
}

std::optional<std::string> DecodeBytea(std::string_view text) {
  if (!text.starts_with("\\x")) return std::nullopt;
  return FromHex(text.substr(2));
}

std::optional<std::vector<std::string>> DecodeByteaList(std::string_view text) {
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::vector<std::string> elements;
  while (!text.empty()) {
    constexpr std::string_view kBegin = "\"\\\\x";
    if (!text.starts_with(kBegin)) return std::nullopt;
    const std::size_t end = text.find('"', kBegin.size());
    if (end == std::string_view::npos) return std::nullopt;
    std::optional<std::string> element = FromHex(text.substr(kBegin.size(), end - kBegin.size()));
    if (!element) return std::nullopt;
    elements.push_back(std::move(*element));
    text.remove_prefix(end + 1);
    if (text.empty()) break;
    if (text.front() != ',' || text.size() == 1) return std::nullopt;
    text.remove_prefix(1);
  }
  return elements;
}

std::string EncodeByteaList(const std::vector<std::string>& elements) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text = "{";
  for (const std::string& element : elements) {
    if (text.size() > 1) text.push_back(',');
    text.append("\"\\\\x");
    for (const char byte : element) {
      text.push_back(kHex[static_cast<unsigned char>(byte) >> 4]);
      text.push_back(kHex[static_cast<unsigned char>(byte) & 0xf]);
    }
    text.push_back('"');
  }
  text.push_back('}');
  return text;
}

}  // namespace holdfast::storage::postgres
