// What a collection is: its number, under which its rows stand, and its indexes. docs/formats/documents.md is the
// published form of the row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "service/documents/index_value.h"

namespace holdfast::documents {

struct CollectionLimits {
  std::size_t max_indexes = 16;                             // of one collection
  std::size_t max_path_depth = 8;                           // members of an indexed path: "a.b.c" has 3
  std::size_t max_value_bytes = kDefaultIndexedValueBytes;  // of new indexes; longer strings are cut there
  std::size_t max_examined = 10'000;                        // documents that one query or count looks at
};

inline constexpr std::size_t kMaxCollectionNameBytes = 63;
inline constexpr std::size_t kMaxPathBytes = 256;

enum class IndexState {
  kBuilding,  // writers keep it; documents from before are still being added; queries do not use it
  kReady,     // has exactly one row per document
  kDropping,  // writers do not keep it any more; its rows are being removed
};
std::string_view IndexStateName(IndexState state);

struct Index {
  std::uint32_t number = 0;  // never used twice within a collection
  std::string path;          // "severity", "cause.code"
  IndexState state = IndexState::kReady;
  // Longer strings are cut. The setting when the index was made: its rows were written so, whatever the setting says
  // now.
  std::size_t max_value_bytes = kDefaultIndexedValueBytes;

  friend bool operator==(const Index&, const Index&) = default;
};

struct Definition {
  // Never used twice within a tenant's store: what a deleted collection left behind is not its successor's.
  std::uint64_t number = 0;
  std::uint32_t next_index = 1;
  std::vector<Index> indexes;

  // In any state but kDropping; nullptr when there is none.
  const Index* Find(std::string_view path) const;
  // Whether something is left to be built or dropped.
  bool Unfinished() const;

  friend bool operator==(const Definition&, const Definition&) = default;
};

// 1..63 of a-z, A-Z, 0-9, '.', '_' and '-', beginning with a letter or digit.
Status CheckCollectionName(std::string_view name);
// Members of letters, digits, '_' and '-' joined by '.'; none twice, none too deep, not too many.
Status CheckIndexPaths(const std::vector<std::string>& paths, const CollectionLimits& limits);

// What `before` becomes when exactly these paths are to be indexed: known ones stay as they are, new ones are built
// (at once when `empty` says there is nothing to add), others dropped. Pure.
Definition WithIndexes(const Definition& before, const std::vector<std::string>& paths, bool empty,
                       const CollectionLimits& limits);

std::string EncodeDefinition(const Definition& definition);
// kCorruption when the row is none.
Result<Definition> DecodeDefinition(std::string_view row);

}  // namespace holdfast::documents
