// Under which keys a collection's rows stand in a tenant's rooms (TenantView::rooms). docs/formats/documents.md is the
// published form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "service/storage/types.h"

namespace holdfast::documents {

// c name                         the definition
std::string DefinitionKey(std::string_view collection);
storage::KeyRange AllDefinitions();
// The collection's name; `key` is in AllDefinitions().
std::string_view CollectionOf(std::string_view key);

// c \0 n                         the number that the next collection gets
std::string NextCollectionKey();
// c \0 p number index            how far an index is built
std::string ProgressKey(std::uint64_t collection, std::uint32_t index);
storage::KeyRange ProgressOf(std::uint64_t collection);
// c \0 r number                  a deleted collection whose rows are being removed
std::string RemovalKey(std::uint64_t collection);
storage::KeyRange AllRemovals();
// nullopt when the key is none of AllRemovals().
std::optional<std::uint64_t> RemovedCollectionOf(std::string_view key);

// d number id                    a document
std::string DocumentKey(std::uint64_t collection, std::string_view id);
storage::KeyRange DocumentsOf(std::uint64_t collection);
// `key` is in DocumentsOf() of some collection.
std::string_view DocumentIdOf(std::string_view key);

// x number index value id        an index row; `value` is encoded (index_value.h)
std::string IndexRowKey(std::uint64_t collection, std::uint32_t index, std::string_view value, std::string_view id);
storage::KeyRange IndexRowsOf(std::uint64_t collection, std::uint32_t index);
storage::KeyRange IndexRowsOf(std::uint64_t collection);
// The part of an index whose values lie in `values`.
storage::KeyRange IndexRowsOf(std::uint64_t collection, std::uint32_t index, const storage::KeyRange& values);
// Value and id of a row of some index; nullopt when the key is damaged. The views point into it.
struct IndexRow {
  std::string_view value;
  std::string_view id;
};
std::optional<IndexRow> ParseIndexRow(std::string_view key);

}  // namespace holdfast::documents
