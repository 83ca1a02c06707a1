#include "service/api/query_string.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/api/encoding.h"
#include "service/api/nearest_name.h"

namespace holdfast::api {

Result<Query> Query::Parse(std::string_view text, std::span<const std::string_view> known) {
  Query query;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    if (item.empty()) continue;
    const std::size_t equals = item.find('=');
    auto name = DecodePercent(item.substr(0, equals));
    if (!name || !IsValidUtf8(*name)) {
      return Error(ErrorCode::kInvalidArgument,
                   "the name of a query parameter is not valid; percent-encode it as UTF-8, %XX per byte");
    }
    if (std::find(known.begin(), known.end(), *name) == known.end()) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("unknown query parameter \"{}\"{}", *name, NearestHint(*name, known)));
    }
    auto value = DecodePercent(equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1));
    if (!value) {
      return Error(
          ErrorCode::kInvalidArgument,
          fmt::format("query parameter \"{}\": a '%' is not followed by two hex digits; write '%25' for '%'", *name));
    }
    if (query.Find(*name) != nullptr) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("query parameter \"{}\" is given twice; give it once", *name));
    }
    query.parameters_.emplace_back(std::move(*name), std::move(*value));
  }
  return query;
}

const std::string* Query::Find(std::string_view name) const {
  for (const auto& [known, value] : parameters_) {
    if (known == name) return &value;
  }
  return nullptr;
}

}  // namespace holdfast::api
