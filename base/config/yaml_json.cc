#include <fmt/format.h>

#include <charconv>

#include "base/config/core_schema.h"
#include "base/config/yaml.h"
#include "base/config/yaml_tree.h"

namespace holdfast::config {
namespace {

using nlohmann::json;

class Converter {
 public:
  explicit Converter(std::string_view name) : name_(name) {}

  Result<json> Convert(const YamlNode& node) const {
    switch (node.kind) {
      case YamlNode::Kind::kNull:
        return json(nullptr);
      case YamlNode::Kind::kScalar:
        return node.plain ? Plain(node) : Result<json>(json(node.scalar));
      case YamlNode::Kind::kSequence:
        return Sequence(node);
      case YamlNode::Kind::kMap:
        return Map(node);
    }
    return json(nullptr);
  }

 private:
  Error At(const YamlNode& node, std::string_view why) const {
    return Error(ErrorCode::kInvalidArgument, fmt::format("{}:{}:{}: {}", name_, node.line, node.column, why));
  }

  Result<json> Sequence(const YamlNode& node) const {
    json array = json::array();
    for (const YamlNode& item : node.items) {
      HOLDFAST_ASSIGN_OR_RETURN(json converted, Convert(item));
      array.push_back(std::move(converted));
    }
    return array;
  }

  Result<json> Map(const YamlNode& node) const {
    json object = json::object();
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const YamlNode& key = node.keys[i];
      const YamlNode& value = node.items[i];
      if (key.kind != YamlNode::Kind::kScalar) return At(key, "a key must be a word, not a list, a map or nothing");
      if (object.contains(key.scalar)) return At(key, fmt::format("the key '{}' is there twice", key.scalar));
      HOLDFAST_ASSIGN_OR_RETURN(object[key.scalar], Convert(value));
    }
    return object;
  }

  Result<json> Plain(const YamlNode& node) const {
    const std::string& text = node.scalar;
    switch (PlainTypeOf(text)) {
      case PlainType::kNull:
        return json(nullptr);
      case PlainType::kBool:
        return json(text[0] == 't' || text[0] == 'T');
      case PlainType::kInteger:
        return Integer(node);
      case PlainType::kFloat:
        return Float(node);
      case PlainType::kNotANumber:
        return At(node, fmt::format("'{}' cannot be written in JSON", text));
      case PlainType::kString:
        return json(text);
    }
    return json(text);
  }

  Result<json> Integer(const YamlNode& node) const {
    std::string_view digits = node.scalar;
    if (digits.front() == '+') digits.remove_prefix(1);
    int base = 10;
    if (digits.starts_with("0o") || digits.starts_with("0x")) {
      base = digits[1] == 'o' ? 8 : 16;
      digits.remove_prefix(2);
    } else if (const std::string_view unsigned_digits = digits.substr(digits.front() == '-' ? 1 : 0);
               unsigned_digits.size() > 1 && unsigned_digits.front() == '0') {
      return At(node, fmt::format("'{}' is octal to some readers and decimal to others; write 0o{} or quote it",
                                  node.scalar, unsigned_digits.substr(1)));
    }
    std::int64_t number = 0;
    const char* const end = digits.data() + digits.size();
    if (std::from_chars(digits.data(), end, number, base).ec == std::errc()) return json(number);
    std::uint64_t large = 0;
    if (digits.front() != '-' && std::from_chars(digits.data(), end, large, base).ec == std::errc()) return json(large);
    return At(node, fmt::format("'{}' is too large for an integer", node.scalar));
  }

  Result<json> Float(const YamlNode& node) const {
    std::string_view digits = node.scalar;
    if (digits.front() == '+') digits.remove_prefix(1);
    double number = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec != std::errc()) {
      return At(node, fmt::format("'{}' is no number JSON can hold", node.scalar));
    }
    return json(number);
  }

  std::string_view name_;
};

}  // namespace

Result<std::vector<json>> ParseYamlDocuments(std::string_view text, std::string_view name) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<YamlNode> trees, ParseYamlTree(text, name));
  std::vector<json> documents;
  for (const YamlNode& tree : trees) {
    HOLDFAST_ASSIGN_OR_RETURN(json document, Converter(name).Convert(tree));
    documents.push_back(std::move(document));
  }
  return documents;
}

}  // namespace holdfast::config
