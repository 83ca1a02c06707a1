#include "service/json/binary_writer.h"

#include <bit>
#include <charconv>
#include <limits>

namespace holdfast::json {

void BinaryWriter::BigEndian(std::uint64_t number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) Byte(static_cast<unsigned>(number >> shift & 0xff));
}

void BinaryWriter::CborHead(unsigned major, std::uint64_t argument) {
  const unsigned type = major << 5;
  if (argument < 24) {
    Byte(type | static_cast<unsigned>(argument));
  } else if (argument <= 0xff) {
    Byte(type | 24);
    BigEndian(argument, 1);
  } else if (argument <= 0xffff) {
    Byte(type | 25);
    BigEndian(argument, 2);
  } else if (argument <= 0xffff'ffff) {
    Byte(type | 26);
    BigEndian(argument, 4);
  } else {
    Byte(type | 27);
    BigEndian(argument, 8);
  }
}

void BinaryWriter::CountValue() {
  // Of an object its keys are counted.
  if (!open_.empty() && !open_.back().object) ++open_.back().count;
}

BinaryWriter& BinaryWriter::Open(unsigned char head, bool object) {
  CountValue();
  Byte(head);
  open_.push_back({out_.size(), 0, object});
  out_.append(4, '\0');
  return *this;
}

BinaryWriter& BinaryWriter::Close() {
  const Container closed = open_.back();
  open_.pop_back();
  for (std::size_t i = 0; i < 4; ++i) {
    out_[closed.count_at + i] = static_cast<char>(closed.count >> (24 - 8 * i) & 0xff);
  }
  return *this;
}

void BinaryWriter::Text(std::string_view text) {
  if (cbor_) {
    CborHead(3, text.size());
  } else if (text.size() < 32) {
    Byte(0xa0 | static_cast<unsigned>(text.size()));
  } else if (text.size() <= 0xff) {
    Byte(0xd9);
    BigEndian(text.size(), 1);
  } else if (text.size() <= 0xffff) {
    Byte(0xda);
    BigEndian(text.size(), 2);
  } else {
    Byte(0xdb);
    BigEndian(text.size(), 4);
  }
  out_.append(text);
}

BinaryWriter& BinaryWriter::Key(std::string_view name) {
  ++open_.back().count;
  Text(name);
  return *this;
}

BinaryWriter& BinaryWriter::String(std::string_view text) {
  CountValue();
  Text(text);
  return *this;
}

BinaryWriter& BinaryWriter::Bytes(std::string_view bytes) {
  CountValue();
  if (cbor_) {
    CborHead(2, bytes.size());
  } else if (bytes.size() <= 0xff) {
    Byte(0xc4);
    BigEndian(bytes.size(), 1);
  } else if (bytes.size() <= 0xffff) {
    Byte(0xc5);
    BigEndian(bytes.size(), 2);
  } else {
    Byte(0xc6);
    BigEndian(bytes.size(), 4);
  }
  out_.append(bytes);
  return *this;
}

BinaryWriter& BinaryWriter::Integer(std::int64_t number) {
  if (number >= 0) return Unsigned(static_cast<std::uint64_t>(number));
  CountValue();
  if (cbor_) {
    CborHead(1, static_cast<std::uint64_t>(-1 - number));
    return *this;
  }
  const auto bits = static_cast<std::uint64_t>(number);
  if (number >= -32) {
    Byte(static_cast<unsigned>(bits & 0xff));
  } else if (number >= std::numeric_limits<std::int8_t>::min()) {
    Byte(0xd0);
    BigEndian(bits, 1);
  } else if (number >= std::numeric_limits<std::int16_t>::min()) {
    Byte(0xd1);
    BigEndian(bits, 2);
  } else if (number >= std::numeric_limits<std::int32_t>::min()) {
    Byte(0xd2);
    BigEndian(bits, 4);
  } else {
    Byte(0xd3);
    BigEndian(bits, 8);
  }
  return *this;
}

BinaryWriter& BinaryWriter::Unsigned(std::uint64_t number) {
  CountValue();
  if (cbor_) {
    CborHead(0, number);
  } else if (number < 0x80) {
    Byte(static_cast<unsigned>(number));
  } else if (number <= 0xff) {
    Byte(0xcc);
    BigEndian(number, 1);
  } else if (number <= 0xffff) {
    Byte(0xcd);
    BigEndian(number, 2);
  } else if (number <= 0xffff'ffff) {
    Byte(0xce);
    BigEndian(number, 4);
  } else {
    Byte(0xcf);
    BigEndian(number, 8);
  }
  return *this;
}

BinaryWriter& BinaryWriter::Bool(bool value) {
  CountValue();
  if (cbor_) {
    Byte(value ? 0xf5 : 0xf4);
  } else {
    Byte(value ? 0xc3 : 0xc2);
  }
  return *this;
}

void BinaryWriter::Double(double number) {
  CountValue();
  Byte(cbor_ ? 0xfb : 0xcb);
  BigEndian(std::bit_cast<std::uint64_t>(number), 8);
}

void BinaryWriter::Value(const JsonValue& value) {
  switch (value.kind) {
    case JsonValue::Kind::kNull:
      CountValue();
      Byte(cbor_ ? 0xf6 : 0xc0);
      break;
    case JsonValue::Kind::kBool:
      Bool(value.boolean);
      break;
    case JsonValue::Kind::kInteger:
      Integer(value.integer);
      break;
    case JsonValue::Kind::kNumber: {
      const char* const begin = value.text.data();
      const char* const end = begin + value.text.size();
      std::uint64_t whole = 0;
      if (const auto read = std::from_chars(begin, end, whole); read.ec == std::errc() && read.ptr == end) {
        Unsigned(whole);
        break;
      }
      double number = 0;  // stays zero when it is too small for double
      std::from_chars(begin, end, number);
      Double(number);
      break;
    }
    case JsonValue::Kind::kString:
      String(value.text);
      break;
    case JsonValue::Kind::kBytes:
      Bytes(value.text);
      break;
    case JsonValue::Kind::kArray:
      BeginArray();
      for (const JsonValue& item : value.items) Value(item);
      EndArray();
      break;
    case JsonValue::Kind::kObject:
      BeginObject();
      for (std::size_t i = 0; i < value.names.size(); ++i) {
        Key(value.names[i]);
        Value(value.items[i]);
      }
      EndObject();
  }
}

BinaryWriter& BinaryWriter::Raw(std::string_view json) {
  // Our own text: a client's document stands some levels deeper in an answer than it may be itself.
  const JsonLimits limits{256, std::numeric_limits<std::size_t>::max()};
  const auto parsed = ParseJson(json, limits);
  Value(parsed.ok() ? *parsed : JsonValue());
  return *this;
}

}  // namespace holdfast::json
