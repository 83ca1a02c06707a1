// How far a migration has come: a row of the source, written by whoever copies, so that another one can go on from
// there after a crash. It may be behind; then a part is done twice.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::dual_write {

struct Progress {
  std::string id;                 // of the migration that it is about
  std::uint64_t total = 0;        // entries in the source when it began, roughly
  std::uint64_t copied = 0;       // keys gone through by the backfill
  std::uint64_t compared = 0;     // keys gone through by the comparison
  std::uint64_t differences = 0;  // keys that the comparison found different, and copied again
  bool comparing = false;         // what the cursor is of
  std::string cursor;             // everything up to this key is done; empty: nothing

  bool operator==(const Progress&) const = default;
  std::string Encode() const;
  static std::optional<Progress> Decode(std::string_view bytes);
};

}  // namespace holdfast::dual_write
