#include "service/backends/memory/record_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace holdfast::storage {
namespace {

// Against a std::map, with keys of all sizes, removals that leave holes in clusters included.
TEST(RecordTable, IsAMapFromKeysToRecords) {
  std::mt19937_64 random(1);
  RecordTable table;
  std::map<std::string, Record*> model;
  for (int i = 0; i < 50'000; ++i) {
    std::string key = std::to_string(random() % 2000);
    if (random() % 10 == 0) key.append(random() % 3 * 900, 'k');
    const HashedKey hashed(key);
    Record* found = table.Find(hashed);
    const auto expected = model.find(key);
    ASSERT_EQ(expected == model.end() ? nullptr : expected->second, found) << "step " << i;
    if (found == nullptr) {
      model[key] = &table.Add(hashed);
      EXPECT_EQ(key, model[key]->key());
      EXPECT_EQ(0u, reinterpret_cast<std::uintptr_t>(model[key]) % 64);
    } else if (random() % 2 == 0) {
      table.Remove(hashed);
      model.erase(expected);
    }
    ASSERT_EQ(model.size(), table.size());
  }
  for (const auto& [key, record] : model) EXPECT_EQ(record, table.Find(HashedKey(key)));
  table.Clear();
  EXPECT_EQ(0u, table.size());
  EXPECT_EQ(nullptr, table.Find(HashedKey("1")));
  table.Add(HashedKey("1"));
  EXPECT_NE(nullptr, table.Find(HashedKey("1")));
}

}  // namespace
}  // namespace holdfast::storage
