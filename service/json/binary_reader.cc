#include "service/json/binary_reader.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <optional>

#include "service/json/utf8.h"
#include "service/json/value_builder.h"

namespace holdfast::json {
namespace {

// What both formats are read with. A value within a value is a call within a call, as deep as the builder allows.
class BinaryReader {
 public:
  BinaryReader(std::string_view bytes, const JsonLimits& limits) : bytes_(bytes), builder_(limits) {}
  virtual ~BinaryReader() = default;

  Result<JsonValue> Read() {
    if (Value() && (next_ == bytes_.size() || Fail("more bytes stand behind the document"))) return builder_.Take();
    return Error(ErrorCode::kInvalidArgument, builder_.problem());
  }

 protected:
  virtual bool Value() = 0;

  bool Fail(std::string_view problem) { return builder_.Fail(fmt::format("at byte {}: {}", next_ + 1, problem)); }
  bool FailCut() { return Fail("the document ends in the middle of a value"); }
  bool AtEnd() const { return next_ == bytes_.size(); }
  // Only when not AtEnd.
  unsigned Peek() const { return static_cast<unsigned char>(bytes_[next_]); }

  bool Take(std::size_t size, std::uint64_t* number) {
    if (bytes_.size() - next_ < size) return FailCut();
    *number = 0;
    for (std::size_t i = 0; i < size; ++i) *number = *number << 8 | static_cast<unsigned char>(bytes_[next_++]);
    return true;
  }
  bool Take(std::uint64_t size, std::string_view* taken) {
    if (bytes_.size() - next_ < size) return FailCut();
    *taken = bytes_.substr(next_, size);
    next_ += size;
    return true;
  }
  bool CheckText(std::string_view text) {
    return IsValidUtf8(text) || Fail("text that is not valid UTF-8 ends here; send bytes as a byte string");
  }
  bool AddFloat(double number) {
    if (!std::isfinite(number)) return Fail("NaN and infinities are no JSON numbers");
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    std::string written(digits.data(), end);
    // Else it would read back as an integer.
    if (written.find_first_of(".e") == std::string::npos) written.append(".0");
    return builder_.Number(std::move(written));
  }
  bool AddFloat32() {
    std::uint64_t bits = 0;
    return Take(4, &bits) && AddFloat(double{std::bit_cast<float>(static_cast<std::uint32_t>(bits))});
  }
  bool AddFloat64() {
    std::uint64_t bits = 0;
    return Take(8, &bits) && AddFloat(std::bit_cast<double>(bits));
  }

  const std::string_view bytes_;
  std::size_t next_ = 0;
  ValueBuilder builder_;
};

class CborReader final : public BinaryReader {
 public:
  using BinaryReader::BinaryReader;

 private:
  static constexpr unsigned kIndefinite = 31;
  static constexpr unsigned kBreak = 0xff;
  enum Major : unsigned { kUnsigned, kNegative, kBytes, kText, kArray, kMap, kTag, kSimple };

  struct Head {
    unsigned major = 0;
    unsigned info = 0;
    std::uint64_t argument = 0;
  };

  bool ReadHead(Head* head) {
    if (AtEnd()) return FailCut();
    head->major = Peek() >> 5;
    head->info = Peek() & 31;
    ++next_;
    head->argument = head->info;
    if (head->info < 24 || head->info == kIndefinite) return true;
    if (head->info > 27) return Fail("a length that CBOR keeps for later");
    return Take(std::size_t{1} << (head->info - 24), &head->argument);
  }

  // Also the pieces of a string of indefinite length; they are of its own type and definite (section 3.2.3).
  bool ReadString(const Head& head, std::string* out) {
    std::string_view piece;
    if (head.info != kIndefinite) {
      if (!Take(head.argument, &piece) || (head.major == kText && !CheckText(piece))) return false;
      out->append(piece);
      return true;
    }
    while (true) {
      if (AtEnd()) return FailCut();
      if (Peek() == kBreak) {
        ++next_;
        return true;
      }
      Head inner;
      if (!ReadHead(&inner)) return false;
      if (inner.major != head.major || inner.info == kIndefinite) return Fail("a piece of a string is no string");
      if (!ReadString(inner, out)) return false;
    }
  }

  // Whether another element follows; takes the break that ends an indefinite length.
  std::optional<bool> More(const Head& head, std::uint64_t seen) {
    if (head.info != kIndefinite) return seen < head.argument;
    if (AtEnd()) {
      FailCut();
      return std::nullopt;
    }
    if (Peek() != kBreak) return true;
    ++next_;
    return false;
  }

  bool ReadArray(const Head& head) {
    if (!builder_.BeginArray()) return false;
    for (std::uint64_t seen = 0;; ++seen) {
      const auto more = More(head, seen);
      if (!more) return false;
      if (!*more) return builder_.EndArray();
      if (!Value()) return false;
    }
  }

  bool ReadMap(const Head& head) {
    if (!builder_.BeginObject()) return false;
    for (std::uint64_t seen = 0;; ++seen) {
      const auto more = More(head, seen);
      if (!more) return false;
      if (!*more) return builder_.EndObject();
      Head name_head;
      std::string name;
      if (!ReadHead(&name_head)) return false;
      if (name_head.major != kText) return Fail("the name of a member is not text");
      if (!ReadString(name_head, &name) || !builder_.Name(std::move(name)) || !Value()) return false;
    }
  }

  bool AddNegative(std::uint64_t argument) {
    if (argument <= static_cast<std::uint64_t>(INT64_MAX)) {
      return builder_.Integer(-1 - static_cast<std::int64_t>(argument));
    }
    if (argument == UINT64_MAX) return builder_.Number("-18446744073709551616");
    return builder_.Number(fmt::format("-{}", argument + 1));
  }

  // RFC 8949, appendix D.
  static double HalfOf(std::uint64_t bits) {
    const int exponent = static_cast<int>(bits >> 10 & 0x1f);
    const auto mantissa = static_cast<double>(bits & 0x3ff);
    double number = std::numeric_limits<double>::quiet_NaN();  // and infinities, which are refused alike
    if (exponent == 0) number = std::ldexp(mantissa, -24);
    if (exponent != 0 && exponent != 31) number = std::ldexp(mantissa + 1024, exponent - 25);
    return (bits & 0x8000) != 0 ? -number : number;
  }

  bool ReadSimple(const Head& head) {
    switch (head.info) {
      case 20:
      case 21:
        return builder_.Boolean(head.info == 21);
      case 22:
        return builder_.Null();
      case 25:
        return AddFloat(HalfOf(head.argument));
      case 26:
        return AddFloat(double{std::bit_cast<float>(static_cast<std::uint32_t>(head.argument))});
      case 27:
        return AddFloat(std::bit_cast<double>(head.argument));
      default:
        return Fail("a simple value other than false, true and null");
    }
  }

  bool Value() override {
    Head head;
    if (!ReadHead(&head)) return false;
    const bool may_be_indefinite = head.major >= kBytes && head.major <= kMap;
    if (head.info == kIndefinite && !may_be_indefinite) return Fail("a break where a value is expected");
    std::string text;
    switch (head.major) {
      case kUnsigned:
        return builder_.Unsigned(head.argument);
      case kNegative:
        return AddNegative(head.argument);
      case kBytes:
        return ReadString(head, &text) && builder_.Bytes(std::move(text));
      case kText:
        return ReadString(head, &text) && builder_.String(std::move(text));
      case kArray:
        return ReadArray(head);
      case kMap:
        return ReadMap(head);
      case kTag:
        return Fail("tags are not read; send the plain value");
      default:
        return ReadSimple(head);
    }
  }
};

class MessagePackReader final : public BinaryReader {
 public:
  using BinaryReader::BinaryReader;

 private:
  bool Text(std::uint64_t size, std::string* out) {
    std::string_view text;
    if (!Take(size, &text) || !CheckText(text)) return false;
    out->assign(text);
    return true;
  }

  // The size of the text that begins with `head`; nothing when it is no text or is cut off.
  std::optional<std::uint64_t> TextSize(unsigned head) {
    if (head >= 0xa0 && head <= 0xbf) return head & 0x1f;
    if (head < 0xd9 || head > 0xdb) {
      Fail("the name of a member is not text");
      return std::nullopt;
    }
    std::uint64_t size = 0;
    if (!Take(std::size_t{1} << (head - 0xd9), &size)) return std::nullopt;
    return size;
  }

  bool AddText(unsigned head) {
    const auto size = TextSize(head);
    std::string text;
    return size && Text(*size, &text) && builder_.String(std::move(text));
  }

  bool ReadArray(std::uint64_t count) {
    if (!builder_.BeginArray()) return false;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!Value()) return false;
    }
    return builder_.EndArray();
  }

  bool ReadMap(std::uint64_t count) {
    if (!builder_.BeginObject()) return false;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (AtEnd()) return FailCut();
      const unsigned head = Peek();
      ++next_;
      const auto size = TextSize(head);
      std::string name;
      if (!size || !Text(*size, &name) || !builder_.Name(std::move(name)) || !Value()) return false;
    }
    return builder_.EndObject();
  }

  bool AddBytes(std::size_t size_bytes) {
    std::uint64_t size = 0;
    std::string_view bytes;
    return Take(size_bytes, &size) && Take(size, &bytes) && builder_.Bytes(std::string(bytes));
  }
  bool AddUnsigned(std::size_t size) {
    std::uint64_t number = 0;
    return Take(size, &number) && builder_.Unsigned(number);
  }
  bool AddSigned(std::size_t size) {
    std::uint64_t bits = 0;
    if (!Take(size, &bits)) return false;
    const auto unused = static_cast<int>(64 - 8 * size);
    return builder_.Integer(static_cast<std::int64_t>(bits << unused) >> unused);
  }
  bool ReadCounted(std::size_t size_bytes, bool map) {
    std::uint64_t count = 0;
    return Take(size_bytes, &count) && (map ? ReadMap(count) : ReadArray(count));
  }

  bool Value() override {
    if (AtEnd()) return FailCut();
    const unsigned head = Peek();
    ++next_;
    if (head <= 0x7f) return builder_.Unsigned(head);
    if (head <= 0x8f) return ReadMap(head & 0x0f);
    if (head <= 0x9f) return ReadArray(head & 0x0f);
    if (head <= 0xbf || (head >= 0xd9 && head <= 0xdb)) return AddText(head);
    if (head >= 0xe0) return builder_.Integer(static_cast<std::int64_t>(head) - 0x100);
    switch (head) {
      case 0xc0:
        return builder_.Null();
      case 0xc2:
      case 0xc3:
        return builder_.Boolean(head == 0xc3);
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return AddBytes(std::size_t{1} << (head - 0xc4));
      case 0xca:
        return AddFloat32();
      case 0xcb:
        return AddFloat64();
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return AddUnsigned(std::size_t{1} << (head - 0xcc));
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return AddSigned(std::size_t{1} << (head - 0xd0));
      case 0xdc:
      case 0xdd:
        return ReadCounted(std::size_t{2} << (head - 0xdc), false);
      case 0xde:
      case 0xdf:
        return ReadCounted(std::size_t{2} << (head - 0xde), true);
      default:
        return Fail("an extension, or a byte that MessagePack does not use; send the plain value");
    }
  }
};

}  // namespace

Result<JsonValue> ParseCbor(std::string_view bytes, const JsonLimits& limits) {
  return CborReader(bytes, limits).Read();
}

Result<JsonValue> ParseMessagePack(std::string_view bytes, const JsonLimits& limits) {
  return MessagePackReader(bytes, limits).Read();
}

Result<JsonValue> ParseDocument(Format format, std::string_view bytes, const JsonLimits& limits) {
  switch (format) {
    case Format::kCbor:
      return ParseCbor(bytes, limits).WithContext("the CBOR body");
    case Format::kMessagePack:
      return ParseMessagePack(bytes, limits).WithContext("the MessagePack body");
    case Format::kJson:
      break;
  }
  return ParseJson(bytes, limits);
}

}  // namespace holdfast::json
