#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "base/log/log.h"

namespace holdfast::log {
namespace {

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "error";
}

bool IsContinuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// Length of the well-formed UTF-8 sequence at the front of `text` (Unicode 15, table 3-7), 0 when there is none.
std::size_t SequenceLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  unsigned char least = 0x80;
  unsigned char most = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) least = 0xA0;  // overlong
    if (first == 0xED) most = 0x9F;   // surrogates
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) least = 0x90;  // overlong
    if (first == 0xF4) most = 0x8F;   // above U+10FFFF
  }
  if (length == 0 || text.size() < length || byte(1) < least || byte(1) > most) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (!IsContinuation(text[i])) return 0;
  }
  return length;
}

// C1 controls, which terminals obey, and the two line separators some readers split lines at.
bool IsTwoByteControl(std::string_view sequence) {
  return sequence.size() == 2 && sequence[0] == '\xC2' && static_cast<unsigned char>(sequence[1]) < 0xA0;
}
bool IsLineSeparator(std::string_view sequence) {
  return sequence == "\xE2\x80\xA8" || sequence == "\xE2\x80\xA9";
}

// The contents of a JSON string. The human form uses the same spelling: one set of escapes to know.
void AppendEscaped(std::string& line, std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = SequenceLength(text);
    const std::string_view sequence = text.substr(0, length == 0 ? 1 : length);
    text.remove_prefix(sequence.size());
    const auto byte = static_cast<unsigned char>(sequence[0]);
    if (length == 0) {
      fmt::format_to(std::back_inserter(line), "\\\\x{:02x}", byte);
    } else if (byte == '"' || byte == '\\') {
      line.append({'\\', sequence[0]});
    } else if (byte == '\n') {
      line.append("\\n");
    } else if (byte == '\r') {
      line.append("\\r");
    } else if (byte == '\t') {
      line.append("\\t");
    } else if (byte < 0x20 || byte == 0x7F) {
      fmt::format_to(std::back_inserter(line), "\\u{:04x}", byte);
    } else if (IsTwoByteControl(sequence)) {
      fmt::format_to(std::back_inserter(line), "\\u{:04x}", static_cast<unsigned char>(sequence[1]));
    } else if (IsLineSeparator(sequence)) {
      line.append(sequence.back() == '\xA8' ? "\\u2028" : "\\u2029");
    } else {
      line.append(sequence);
    }
  }
}

void AppendQuoted(std::string& line, std::string_view text) {
  line.push_back('"');
  AppendEscaped(line, text);
  line.push_back('"');
}

struct JsonValue {
  std::string& line;
  void operator()(const std::string& value) const { AppendQuoted(line, value); }
  void operator()(bool value) const { line.append(value ? "true" : "false"); }
  void operator()(double value) const {
    // JSON has no spelling for these.
    if (std::isfinite(value)) {
      fmt::format_to(std::back_inserter(line), "{}", value);
    } else {
      fmt::format_to(std::back_inserter(line), "\"{}\"", value);
    }
  }
  template <typename Integer>
  void operator()(Integer value) const {
    fmt::format_to(std::back_inserter(line), "{}", value);
  }
};

bool IsPlainWord(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=') return false;
  }
  return true;
}

struct HumanValue {
  std::string& line;
  void operator()(const std::string& value) const {
    if (IsPlainWord(value)) {
      line.append(value);
    } else {
      AppendQuoted(line, value);
    }
  }
  template <typename Other>
  void operator()(const Other& value) const {
    fmt::format_to(std::back_inserter(line), "{}", value);
  }
};

bool IsReserved(std::string_view name) {
  return name == "time" || name == "level" || name == "component" || name == "message";
}

std::string JsonLine(Level level, std::string_view component, std::string_view message,
                     std::initializer_list<Field> fields, std::string_view time) {
  std::string line = "{\"time\":";
  AppendQuoted(line, time);
  line.append(",\"level\":");
  AppendQuoted(line, LevelName(level));
  line.append(",\"component\":");
  AppendQuoted(line, component);
  line.append(",\"message\":");
  AppendQuoted(line, message);
  for (const Field& field : fields) {
    line.append(IsReserved(field.name()) ? ",\"field_" : ",\"");
    AppendEscaped(line, field.name());
    line.append("\":");
    std::visit(JsonValue{line}, field.value());
  }
  line.push_back('}');
  return line;
}

std::string HumanLine(Level level, std::string_view message, std::initializer_list<Field> fields,
                      std::string_view time) {
  std::string line;
  AppendEscaped(line, time);
  fmt::format_to(std::back_inserter(line), " {:<5} ", LevelName(level));
  AppendEscaped(line, message);
  for (const Field& field : fields) {
    line.append("  ");
    AppendEscaped(line, field.name());
    line.push_back('=');
    std::visit(HumanValue{line}, field.value());
  }
  return line;
}

}  // namespace

std::string FormatLine(Format format, Level level, std::string_view component, std::string_view message,
                       std::initializer_list<Field> fields, std::string_view time) {
  if (format == Format::kHuman) return HumanLine(level, message, fields, time);
  return JsonLine(level, component, message, fields, time);
}

}  // namespace holdfast::log
