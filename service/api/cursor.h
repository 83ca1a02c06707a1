// Where a list goes on. Opaque to clients; good for ever, on every replica and across restarts, since it holds no
// server state: it is the last key of the page and a check value over the list it belongs to. The check finds damaged
// cursors and cursors of another list. It is no secret: a forged cursor reads nothing that the list itself would not.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::api {

// Which list: the same in every request for one of its pages. `limit` and `values` may change between pages.
struct ListScope {
  std::string_view store;
  std::string_view name_space;
  std::string_view prefix;
  std::string_view start;
  std::string_view end;
  bool descending = false;
};

std::string EncodeCursor(const ListScope& scope, std::string_view last_key);
// The last key; nullopt when the text is no cursor of this list.
std::optional<std::string> DecodeCursor(const ListScope& scope, std::string_view cursor);

}  // namespace holdfast::api
