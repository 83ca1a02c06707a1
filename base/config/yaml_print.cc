#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/config/core_schema.h"
#include "base/config/yaml.h"

namespace holdfast::config {
namespace {

using nlohmann::json;

// Booleans to YAML 1.1, which kubectl reads.
bool IsOldBoolean(std::string_view text) {
  constexpr std::array<std::string_view, 6> kWords{"y", "n", "yes", "no", "on", "off"};
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

// Whether `text` may stand without quotes. Stricter than the grammar: digits, '_' and ':' together make numbers and
// times in YAML 1.1, so whatever begins like a number is quoted.
bool IsPlain(std::string_view text) {
  if (PlainTypeOf(text) != PlainType::kString || IsOldBoolean(text)) return false;
  const char first = text.front();
  if ((first >= '0' && first <= '9') || std::string_view(" -?:,[]{}#&*!|>'\"%@`+.=<~").find(first) != text.npos) {
    return false;
  }
  if (text.back() == ' ' || text.back() == ':') return false;
  if (text.find(": ") != text.npos || text.find(" #") != text.npos) return false;
  return std::none_of(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; });
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '"' || byte == '\\') {
      quoted.append({'\\', text[i]});
    } else if (byte == '\n') {
      quoted.append("\\n");
    } else if (byte == '\t') {
      quoted.append("\\t");
    } else if (byte < 0x20 || byte == 0x7F) {
      quoted.append(fmt::format("\\x{:02x}", byte));
    } else if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      // C1 controls; U+0085 ends a line in YAML 1.1.
      quoted.append(fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i])));
    } else if (text.substr(i).starts_with("\xE2\x80\xA8") || text.substr(i).starts_with("\xE2\x80\xA9")) {
      quoted.append(text[i + 2] == '\xA8' ? "\\u2028" : "\\u2029");
      i += 2;
    } else if (text.substr(i).starts_with("\xEF\xBB\xBF")) {
      quoted.append("\\ufeff");
      i += 2;
    } else {
      quoted.push_back(text[i]);
    }
  }
  return quoted + '"';
}

// Whether `text` can stand as a literal block with no information lost.
bool IsBlock(std::string_view text) {
  if (text.find('\n') == text.npos || text.front() == ' ' || text.front() == '\n') return false;
  if (text.ends_with("\n\n")) return false;
  if (text.find(" \n") != text.npos || text.back() == ' ') return false;
  return std::none_of(text.begin(), text.end(), [](char c) { return c != '\n' && (c < ' ' || c > '~'); });
}

class Printer {
 public:
  std::string Print(const json& document) {
    if (IsFilled(document)) {
      Value(document, 0, true);
    } else {
      Scalar(document, 0);
    }
    return std::move(out_);
  }

 private:
  static bool IsFilled(const json& value) { return value.is_structured() && !value.empty(); }

  void Indent(std::size_t indent) { out_.append(indent, ' '); }

  // A non-empty map or list, one entry per line; the first line's indentation is already there when `started`.
  void Value(const json& value, std::size_t indent, bool started) {
    if (value.is_array()) {
      for (const json& item : value) {
        if (!std::exchange(started, false)) Indent(indent);
        out_.append("- ");
        if (IsFilled(item)) {
          Value(item, indent + 2, true);
        } else {
          Scalar(item, indent + 2);
        }
      }
      return;
    }
    for (const std::string& key : Keys(value, indent)) {
      if (!std::exchange(started, false)) Indent(indent);
      out_.append(IsPlain(key) ? key : Quoted(key)).append(":");
      const json& entry = value[key];
      if (IsFilled(entry)) {
        out_.push_back('\n');
        // As kubectl prints them: lists stand under their key, maps are indented.
        Value(entry, entry.is_array() ? indent : indent + 2, false);
      } else {
        out_.push_back(' ');
        Scalar(entry, indent + 2);
      }
    }
  }

  // nlohmann::json keeps keys sorted.
  static std::vector<std::string> Keys(const json& object, std::size_t indent) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : object.items()) keys.push_back(key);
    if (indent != 0) return keys;
    const auto rank = [](const std::string& key) {
      return key == "apiVersion" ? 0 : key == "kind" ? 1 : key == "metadata" ? 2 : 3;
    };
    std::stable_sort(keys.begin(), keys.end(),
                     [&](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
    return keys;
  }

  void Scalar(const json& value, std::size_t indent) {
    if (!value.is_string()) {
      out_.append(value.dump()).push_back('\n');
      return;
    }
    const std::string& text = value.get_ref<const std::string&>();
    if (IsBlock(text)) {
      Block(text, indent);
    } else {
      out_.append(IsPlain(text) ? text : Quoted(text)).push_back('\n');
    }
  }

  void Block(std::string_view text, std::size_t indent) {
    out_.append(text.back() == '\n' ? "|\n" : "|-\n");
    if (text.back() == '\n') text.remove_suffix(1);
    while (true) {
      const std::size_t newline = text.find('\n');
      const std::string_view line = text.substr(0, newline);
      if (!line.empty()) {
        Indent(std::max<std::size_t>(indent, 2));
        out_.append(line);
      }
      out_.push_back('\n');
      if (newline == text.npos) return;
      text.remove_prefix(newline + 1);
    }
  }

  std::string out_;
};

}  // namespace

std::string ToYaml(const json& document) {
  return Printer().Print(document);
}

}  // namespace holdfast::config
