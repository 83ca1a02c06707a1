#include "service/json/json_writer.h"

#include <array>
#include <charconv>

namespace holdfast::json {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

void AppendUnicodeEscape(std::string* out, unsigned unit) {
  out->append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) out->push_back(kHex[unit >> shift & 15]);
}

template <typename Number>
void AppendNumber(std::string* out, Number number) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out->append(digits.data(), end);
}

}  // namespace

void AppendJsonString(std::string* out, std::string_view text) {
  out->push_back('"');
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
    out->append(text, plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '"':
        out->append("\\\"");
        break;
      case '\\':
        out->append("\\\\");
        break;
      case '\n':
        out->append("\\n");
        break;
      case '\r':
        out->append("\\r");
        break;
      case '\t':
        out->append("\\t");
        break;
      default:
        AppendUnicodeEscape(out, c);
    }
  }
  out->append(text, plain, text.size() - plain);
  out->push_back('"');
}

std::string ToAsciiJson(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (std::size_t i = 0; i < json.size();) {
    const auto lead = static_cast<unsigned char>(json[i]);
    const std::size_t length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length == 1 || i + length > json.size()) {
      out.push_back(json[i++]);
      continue;
    }
    unsigned point = lead & (0xffu >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) point = point << 6 | (static_cast<unsigned char>(json[i + k]) & 0x3fu);
    if (point > 0xffff) {
      AppendUnicodeEscape(&out, 0xd800 + ((point - 0x10000) >> 10));
      AppendUnicodeEscape(&out, 0xdc00 + ((point - 0x10000) & 0x3ff));
    } else {
      AppendUnicodeEscape(&out, point);
    }
    i += length;
  }
  return out;
}

void JsonWriter::Separate() {
  if (!first_) out_.push_back(',');
  first_ = false;
}

JsonWriter& JsonWriter::Open(char bracket) {
  Separate();
  out_.push_back(bracket);
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::Close(char bracket) {
  out_.push_back(bracket);
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view name) {
  Separate();
  AppendJsonString(&out_, name);
  out_.push_back(':');
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view text) {
  Separate();
  AppendJsonString(&out_, text);
  return *this;
}

JsonWriter& JsonWriter::Integer(std::int64_t number) {
  Separate();
  AppendNumber(&out_, number);
  return *this;
}

JsonWriter& JsonWriter::Unsigned(std::uint64_t number) {
  Separate();
  AppendNumber(&out_, number);
  return *this;
}

JsonWriter& JsonWriter::Bool(bool value) {
  Separate();
  out_.append(value ? "true" : "false");
  return *this;
}

JsonWriter& JsonWriter::Raw(std::string_view json) {
  Separate();
  out_.append(json);
  return *this;
}

}  // namespace holdfast::json
