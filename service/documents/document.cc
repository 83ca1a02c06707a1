#include "service/documents/document.h"

#include <fmt/format.h>

#include "service/query/evaluate.h"

namespace holdfast::documents {
namespace {

using json::JsonValue;

struct ToIndexValue {
  IndexValue operator()(std::nullptr_t) const { return Null{}; }
  template <typename Value>
  IndexValue operator()(const Value& value) const {
    return value;
  }
};

// Takes the first member off the path.
std::string_view NextMember(std::string_view* path) {
  const std::size_t end = std::min(path->find('.'), path->size());
  const std::string_view member = path->substr(0, end);
  path->remove_prefix(std::min(end + 1, path->size()));
  return member;
}

}  // namespace

Result<JsonValue> ParseDocument(std::string_view text) {
  auto document = json::ParseJson(text);
  if (!document.ok()) return std::move(document).error().WithContext("the document");
  if (document->kind != JsonValue::Kind::kObject) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the document is {}; send one JSON object", json::KindName(document->kind)));
  }
  return document;
}

IndexValue ValueAt(const JsonValue& document, std::string_view path) {
  const JsonValue* value = &document;
  while (value != nullptr && !path.empty()) value = value->Find(NextMember(&path));
  if (value == nullptr) return Missing{};
  const auto scalar = query::ScalarOf(*value);
  if (!scalar) return Composite{};
  return ValueOf(*scalar);
}

std::string IndexedValue(const Index& index, const JsonValue& document) {
  return EncodeIndexValue(ValueAt(document, index.path), index.max_value_bytes);
}

IndexValue ValueOf(const query::Literal& literal) {
  return std::visit(ToIndexValue{}, literal);
}

bool SamePath(std::string_view index_path, const std::vector<std::string>& path) {
  for (const std::string& member : path) {
    if (index_path.empty() || NextMember(&index_path) != member) return false;
  }
  return index_path.empty();
}

}  // namespace holdfast::documents
