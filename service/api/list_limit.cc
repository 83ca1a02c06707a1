#include "service/api/list_limit.h"

#include <fmt/format.h>

#include <charconv>

namespace holdfast::api {

Result<std::size_t> ReadLimit(const Query& query, std::size_t fallback, std::size_t maximum) {
  const std::string* text = query.Find("limit");
  if (text == nullptr) return std::min(fallback, maximum);
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (error != std::errc() || end != text->data() + text->size() || limit < 1 || limit > maximum) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("limit is not a whole number from 1 to {}", maximum));
  }
  return limit;
}

}  // namespace holdfast::api
