// Cursors: lines of a list's scope, then the cursor. Nothing but what was issued for a list is a cursor of it.
#include "service/api/cursor.h"

#include <string>

#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::api;
  using holdfast::fuzz::Check;
  holdfast::fuzz::Input input(data, size);
  ListScope scope;
  scope.descending = input.Byte() % 2 == 1;
  scope.store = input.Line();
  scope.prefix = input.Line();
  scope.start = input.Line();
  scope.end = input.Line();
  const std::string_view rest = input.Rest();
  if (const auto key = DecodeCursor(scope, rest)) Check(EncodeCursor(scope, *key) == rest, "one cursor for one place");
  if (rest.empty()) return 0;
  const std::string cursor = EncodeCursor(scope, rest);
  Check(DecodeCursor(scope, cursor) == std::string(rest), "what was issued comes back");
  ListScope other = scope;
  other.descending = !scope.descending;
  Check(!DecodeCursor(other, cursor), "a cursor of another list is none");
  std::string damaged = cursor;
  const char before = damaged[damaged.size() / 2];
  damaged[damaged.size() / 2] = before == 'A' ? 'B' : 'A';
  Check(!DecodeCursor(scope, damaged), "a damaged cursor is none");
  return 0;
}
