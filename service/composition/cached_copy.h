// What a tiered store keeps in its cache: a copy of an entry, or that there is none, with the stamp under which it was
// read. The cache is a Backend like any other, which gives what it keeps versions and times of its own; so the copy
// carries those of the system of record inside its value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "service/storage/types.h"

namespace holdfast::composition {

// When a copy was read (stamps.h). One that carries another stamp than its key has now is none.
struct Stamp {
  std::uint64_t generation = 0;
  std::uint64_t epoch = 0;
  bool operator==(const Stamp&) const = default;
};

struct CachedCopy {
  Stamp stamp;
  storage::EntryPtr entry;  // null: there is no such key
};

std::string EncodeCopy(const Stamp& stamp, const storage::Entry* entry);
// Nothing when it is none: of another layout, or damaged.
std::optional<CachedCopy> DecodeCopy(std::string_view bytes);

// The key under which the copy of `key` stands. It has no NUL, so it is in no key space: never a key of a store on the
// same backend, counted for no tenant, and free to be evicted. Different keys have different ones.
std::string CopyKey(std::string_view key);

}  // namespace holdfast::composition
