// Where a list goes on. Opaque to clients. It holds no server state, so it is good for ever, on every replica and
// across restarts: it is a position, signed together with the list it belongs to (HMAC-SHA256, RFC 2104). A damaged or
// forged one, and one of another list, store or namespace is none.
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
  std::string_view delimiter;
  std::string_view filter;
  bool descending = false;
  std::string_view subject = {};  // what is listed, when it is not keys
};

struct ListPosition {
  enum class Kind { kBehindKey, kBehindPrefix };
  Kind kind = Kind::kBehindKey;
  // kBehindKey: the list goes on behind this key. kBehindPrefix: behind every key that begins so.
  std::string bytes;
};

// Immutable; thread-safe.
class CursorSigner {
 public:
  static constexpr std::size_t kSecretBytes = 32;

  explicit CursorSigner(std::string secret) : secret_(std::move(secret)) {}
  std::string Encode(const ListScope& scope, const ListPosition& position) const;
  std::optional<ListPosition> Decode(const ListScope& scope, std::string_view cursor) const;

 private:
  std::string Sign(const ListScope& scope, std::string_view payload) const;

  const std::string secret_;
};

}  // namespace holdfast::api
