#include "service/documents/rows.h"

#include "service/documents/index_value.h"
#include "service/storage/key_space.h"

namespace holdfast::documents {
namespace {

using storage::KeyRange;
using storage::Room;

constexpr std::size_t kCollectionBytes = 8;
constexpr std::size_t kIndexBytes = 4;
constexpr std::string_view kOwn("\0", 1);  // no collection's name begins with it
constexpr char kNextCollection = 'n';
constexpr char kProgress = 'p';
constexpr char kRemoval = 'r';

void AppendBigEndian(std::uint64_t number, std::size_t bytes, std::string* out) {
  for (std::size_t left = bytes; left > 0; --left) out->push_back(static_cast<char>(number >> ((left - 1) * 8)));
}

std::string In(Room room) {
  return std::string(1, static_cast<char>(room));
}

std::string Own(char kind) {
  std::string key = In(Room::kCollections);
  key.append(kOwn).push_back(kind);
  return key;
}

std::string DocumentsPrefix(std::uint64_t collection) {
  std::string key = In(Room::kDocuments);
  AppendBigEndian(collection, kCollectionBytes, &key);
  return key;
}

std::string IndexPrefix(std::uint64_t collection, std::uint32_t index) {
  std::string key = In(Room::kIndexes);
  AppendBigEndian(collection, kCollectionBytes, &key);
  AppendBigEndian(index, kIndexBytes, &key);
  return key;
}

}  // namespace

std::string DefinitionKey(std::string_view collection) {
  std::string key = In(Room::kCollections);
  return key.append(collection);
}

KeyRange AllDefinitions() {
  KeyRange range = KeyRange::Prefix(In(Room::kCollections));
  range.start.push_back('\x01');  // behind everything that begins with kOwn
  return range;
}

std::string_view CollectionOf(std::string_view key) {
  return key.substr(1);
}

std::string NextCollectionKey() {
  return Own(kNextCollection);
}

std::string ProgressKey(std::uint64_t collection, std::uint32_t index) {
  std::string key = Own(kProgress);
  AppendBigEndian(collection, kCollectionBytes, &key);
  AppendBigEndian(index, kIndexBytes, &key);
  return key;
}

KeyRange ProgressOf(std::uint64_t collection) {
  std::string prefix = Own(kProgress);
  AppendBigEndian(collection, kCollectionBytes, &prefix);
  return KeyRange::Prefix(prefix);
}

std::string RemovalKey(std::uint64_t collection) {
  std::string key = Own(kRemoval);
  AppendBigEndian(collection, kCollectionBytes, &key);
  return key;
}

KeyRange AllRemovals() {
  return KeyRange::Prefix(Own(kRemoval));
}

std::optional<std::uint64_t> RemovedCollectionOf(std::string_view key) {
  const std::string prefix = Own(kRemoval);
  if (!key.starts_with(prefix) || key.size() != prefix.size() + kCollectionBytes) return std::nullopt;
  std::uint64_t number = 0;
  for (const char byte : key.substr(prefix.size())) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

std::string DocumentKey(std::uint64_t collection, std::string_view id) {
  std::string key = DocumentsPrefix(collection);
  return key.append(id);
}

KeyRange DocumentsOf(std::uint64_t collection) {
  return KeyRange::Prefix(DocumentsPrefix(collection));
}

std::string_view DocumentIdOf(std::string_view key) {
  return key.substr(1 + kCollectionBytes);
}

std::string IndexRowKey(std::uint64_t collection, std::uint32_t index, std::string_view value, std::string_view id) {
  std::string key = IndexPrefix(collection, index);
  return key.append(value).append(id);
}

KeyRange IndexRowsOf(std::uint64_t collection, std::uint32_t index) {
  return KeyRange::Prefix(IndexPrefix(collection, index));
}

KeyRange IndexRowsOf(std::uint64_t collection) {
  std::string prefix = In(Room::kIndexes);
  AppendBigEndian(collection, kCollectionBytes, &prefix);
  return KeyRange::Prefix(prefix);
}

KeyRange IndexRowsOf(std::uint64_t collection, std::uint32_t index, const KeyRange& values) {
  const std::string prefix = IndexPrefix(collection, index);
  KeyRange range = KeyRange::Prefix(prefix);
  range.start.append(values.start);
  if (values.end) range.end = prefix + *values.end;
  return range;
}

std::optional<IndexRow> ParseIndexRow(std::string_view key) {
  constexpr std::size_t kPrefixBytes = 1 + kCollectionBytes + kIndexBytes;
  if (key.size() <= kPrefixBytes) return std::nullopt;
  const std::string_view behind = key.substr(kPrefixBytes);
  const std::size_t value_bytes = IndexValueBytes(behind);
  if (value_bytes == 0 || value_bytes == behind.size()) return std::nullopt;
  return IndexRow{behind.substr(0, value_bytes), behind.substr(value_bytes)};
}

}  // namespace holdfast::documents
