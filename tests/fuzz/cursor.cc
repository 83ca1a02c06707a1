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
  scope.delimiter = input.Line();
  scope.filter = input.Line();
  const std::string_view rest = input.Rest();
  const CursorSigner signer(std::string(CursorSigner::kSecretBytes, 's'));
  if (const auto place = signer.Decode(scope, rest)) {
    Check(signer.Encode(scope, *place) == rest, "one cursor for one place");
  }
  if (rest.empty()) return 0;
  const ListPosition position{ListPosition::Kind::kBehindPrefix, std::string(rest)};
  const std::string cursor = signer.Encode(scope, position);
  const auto back = signer.Decode(scope, cursor);
  Check(back && back->bytes == rest && back->kind == position.kind, "what was issued comes back");
  const CursorSigner stranger(std::string(CursorSigner::kSecretBytes, 't'));
  Check(!stranger.Decode(scope, cursor), "a cursor of another secret is none");
  ListScope other = scope;
  other.descending = !scope.descending;
  Check(!signer.Decode(other, cursor), "a cursor of another list is none");
  std::string damaged = cursor;
  const char before = damaged[damaged.size() / 2];
  damaged[damaged.size() / 2] = before == 'A' ? 'B' : 'A';
  Check(!signer.Decode(scope, damaged), "a damaged cursor is none");
  return 0;
}
