#include "tests/property/documents/index_checker.h"

#include <gtest/gtest.h>

#include <map>

#include "service/documents/document.h"
#include "service/documents/maintenance.h"
#include "service/documents/rows.h"

namespace holdfast::documents {

std::vector<storage::KeyedEntry> AllRows(storage::Backend& rooms, const storage::KeyRange& range) {
  std::vector<storage::KeyedEntry> rows;
  storage::ScanRequest request;
  request.range = range;
  request.limit = 1000;
  for (;;) {
    auto page = rooms.Scan(request, Deadline::Infinite());
    if (!page.ok()) {
      ADD_FAILURE() << page.error().ToString();
      return rows;
    }
    for (storage::KeyedEntry& row : page->entries) rows.push_back(std::move(row));
    if (page->complete) return rows;
    request.after = rows.back().key;
  }
}

std::vector<std::string> CheckIndexes(storage::Backend& rooms, const std::string& name) {
  const auto collection =
      Collections(std::shared_ptr<storage::Backend>(&rooms, [](auto*) {}), {}).Get(name, Deadline::Infinite());
  if (!collection.ok()) return {collection.error().ToString()};
  const Definition& definition = collection->definition;

  std::map<std::string, std::optional<Timestamp>> wanted;
  std::map<std::string, std::optional<Timestamp>> allowed;
  for (const storage::KeyedEntry& row : AllRows(rooms, DocumentsOf(definition.number))) {
    const auto document = ParseDocument(row.entry->value);
    if (!document.ok()) return {document.error().ToString()};
    for (const Index& index : definition.indexes) {
      if (index.state == IndexState::kDropping) continue;
      const std::string key =
          IndexRowKey(definition.number, index.number, IndexedValue(index, *document), DocumentIdOf(row.key));
      (index.state == IndexState::kReady ? wanted : allowed).emplace(key, row.entry->expires_at);
    }
  }

  std::vector<std::string> wrong;
  for (const Index& index : definition.indexes) {
    if (index.state == IndexState::kDropping) continue;
    auto& rows = index.state == IndexState::kReady ? wanted : allowed;
    for (const storage::KeyedEntry& row : AllRows(rooms, IndexRowsOf(definition.number, index.number))) {
      const auto found = rows.find(row.key);
      if (found == rows.end()) {
        wrong.push_back("orphaned row in " + index.path);
        continue;
      }
      if (found->second != row.entry->expires_at) wrong.push_back("another expiry in " + index.path);
      rows.erase(found);
    }
  }
  if (!wanted.empty()) wrong.push_back(std::to_string(wanted.size()) + " rows are missing");
  return wrong;
}

void FinishMaintenance(storage::Backend& rooms, const std::string& collection) {
  for (;;) {
    const auto more = MaintainCollection(rooms, collection, Deadline::Infinite());
    ASSERT_TRUE(more.ok()) << more.error().ToString();
    const auto removals = RemoveDeleted(rooms, Deadline::Infinite());
    ASSERT_TRUE(removals.ok()) << removals.error().ToString();
    if (!*more && !*removals) return;
  }
}

}  // namespace holdfast::documents
