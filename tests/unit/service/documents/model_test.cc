// Random writes, queries and changes of the indexes against a map and the evaluation of the filter on every document.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "service/backends/memory/memory_backend.h"
#include "service/documents/document.h"
#include "service/documents/documents.h"
#include "service/documents/find.h"
#include "service/documents/maintenance.h"
#include "service/documents/rows.h"
#include "service/query/evaluate.h"
#include "service/storage/key_space.h"

namespace holdfast::documents {
namespace {

constexpr const char* kName = "incidents";
constexpr std::size_t kMaxIdBytes = 512;
const Deadline kForever = Deadline::Infinite();

unsigned Seed() {
  const char* const given = std::getenv("HOLDFAST_SEED");
  return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : 1;
}

class ModelTest : public testing::Test {
 protected:
  ModelTest() {
    storage::MemoryOptions options;
    options.limits.max_key_bytes += storage::kReservedKeyBytes;
    rooms_ = storage::MakeMemoryBackend(options);
    limits_.max_value_bytes = 32;  // so that some strings are cut
  }

  int Draw(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  std::string Pick(const std::vector<std::string>& from) {
    return from[static_cast<std::size_t>(Draw(static_cast<int>(from.size())))];
  }
  std::string Value() {
    return Pick({R"("P0")", R"("P1")", R"("")", R"("a\u0000b")", "null", "true", "false", "0", "-1", "1.5", "10",
                 "9007199254740993", "9007199254740992", R"("a long text which is cut somewhere: x")",
                 R"("a long text which is cut somewhere: y")"});
  }
  std::string Document() {
    std::string text = "{";
    for (const char* const field : {"a", "b", "c"}) {
      if (Draw(5) == 0) continue;
      const std::string value = Draw(10) == 0 ? "[1,\"P0\"]" : Value();
      text.append(fmt::format("{}\"{}\":{}", text.size() > 1 ? "," : "", field, value));
    }
    return text.append("}");
  }
  std::string Filter() {
    std::string text;
    for (int i = Draw(3); i >= 0; --i) {
      if (!text.empty()) text.append(" and ");
      text.append(Pick({"a", "b", "c"}));
      switch (Draw(5)) {
        case 0:
          text.append(" exists");
          break;
        case 1:
          text.append(fmt::format(" in ({}, {})", Value(), Value()));
          break;
        case 2:
          text.append(fmt::format(" {} {}", Pick({"<", "<=", ">", ">="}),
                                  Pick({"0", "1.5", R"("P0")", R"("a long text which is cut somewhere: x")"})));
          break;
        case 3:
          text.append(" has \"P0\"");
          break;
        default:
          text.append(fmt::format(" {} {}", Pick({"=", "!="}), Value()));
      }
    }
    return text;
  }

  Collections collections() { return {rooms_, limits_}; }
  Documents documents() { return {rooms_, kName, limits_, kMaxIdBytes}; }
  Collection Get() { return collections().Get(kName, kForever).value(); }

  void Write() {
    const std::string id = fmt::format("{}", Draw(60));
    if (Draw(4) == 0) {
      const auto result = documents().Delete(id, {}, kForever);
      ASSERT_TRUE(result.ok() && result->status.ok());
      model_.erase(id);
      return;
    }
    const std::string text = Document();
    const auto result = documents().Put(id, text, {}, storage::Expiry::Never(), kForever);
    ASSERT_TRUE(result.ok() && result->status.ok()) << text;
    model_[id] = text;
  }

  // Documents that match, by id.
  std::set<std::string> Expected(const query::Filter& filter) const {
    std::set<std::string> ids;
    for (const auto& [id, text] : model_) {
      if (query::Matches(filter, json::ParseJson(text).value())) ids.insert(id);
    }
    return ids;
  }

  void Query() {
    const std::string text = Filter();
    const auto filter = query::ParseFilter(text);
    ASSERT_TRUE(filter.ok()) << text << ": " << filter.error().message();
    const Collection collection = Get();
    FindRequest request;
    request.filter = &*filter;
    request.limit = static_cast<std::size_t>(1 + Draw(20));
    std::vector<const Index*> ready;
    for (const Index& index : collection.definition.indexes) {
      if (index.state == IndexState::kReady) ready.push_back(&index);
    }
    const Index* index = nullptr;
    if (!ready.empty() && Draw(2) == 0) {
      index = ready[static_cast<std::size_t>(Draw(static_cast<int>(ready.size())))];
      request.order = Order{index->path, Draw(2) == 0};
    }
    std::vector<std::string> found;
    std::vector<std::string> values;
    for (bool complete = false; !complete;) {
      const auto page = Find(*rooms_, collection, request, limits_, kForever);
      ASSERT_TRUE(page.ok()) << text << ": " << page.error().message();
      for (const auto& document : page->documents) {
        found.push_back(document.key);
        if (index != nullptr) values.push_back(IndexedValue(*index, ParseDocument(document.entry->value).value()));
      }
      complete = page->complete;
      request.position = page->position;
    }
    if (request.order && request.order->descending) std::reverse(values.begin(), values.end());
    EXPECT_TRUE(std::is_sorted(values.begin(), values.end())) << text;
    const std::set<std::string> expected = Expected(*filter);
    EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), expected) << text;
    EXPECT_EQ(found.size(), expected.size()) << text << ": one was found twice";
    const auto count = Count(*rooms_, collection, &*filter, limits_, kForever);
    ASSERT_TRUE(count.ok());
    EXPECT_EQ(count->count, expected.size()) << text;
  }

  void Redefine() {
    std::vector<std::string> paths;
    for (const char* const path : {"a", "b", "c"}) {
      if (Draw(3) != 0) paths.emplace_back(path);
    }
    ASSERT_TRUE(collections().Define(kName, paths, kForever).ok());
  }

  void Maintain() { ASSERT_TRUE(MaintainCollection(*rooms_, kName, kForever).ok()); }

  std::vector<std::string> Keys(const storage::KeyRange& range) {
    storage::ScanRequest request;
    request.range = range;
    request.keys_only = true;
    request.limit = 10'000;
    std::vector<std::string> keys;
    const storage::ScanPage page = rooms_->Scan(request, kForever).value();
    for (const auto& row : page.entries) keys.push_back(row.key);
    return keys;
  }

  // Every index row there is, against those that the documents ask for.
  void CheckRows() {
    while (MaintainCollection(*rooms_, kName, kForever).value()) {
    }
    const Definition definition = Get().definition;
    EXPECT_FALSE(definition.Unfinished());
    std::vector<std::string> expected;
    for (const Index& index : definition.indexes) {
      for (const auto& [id, text] : model_) {
        expected.push_back(
            IndexRowKey(definition.number, index.number, IndexedValue(index, ParseDocument(text).value()), id));
      }
    }
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(Keys(IndexRowsOf(definition.number)), expected);
    EXPECT_EQ(Keys(DocumentsOf(definition.number)).size(), model_.size());
    EXPECT_TRUE(Keys(ProgressOf(definition.number)).empty());
  }

  std::shared_ptr<storage::Backend> rooms_;
  CollectionLimits limits_;
  std::map<std::string, std::string> model_;
  std::mt19937 random_{Seed()};
};

TEST_F(ModelTest, MemoryAgreesWithAMap) {
  SCOPED_TRACE(fmt::format("HOLDFAST_SEED={}", Seed()));
  ASSERT_TRUE(collections().Define(kName, {"a", "b"}, kForever).ok());
  constexpr int kOperations = 12'000;
  for (int i = 0; i < kOperations && !HasFailure(); ++i) {
    const int kind = Draw(100);
    if (kind < 60) {
      Write();
    } else if (kind < 90) {
      Query();
    } else if (kind < 92) {
      Redefine();
    } else {
      Maintain();
    }
    if (i % 500 == 0) CheckRows();
  }
  CheckRows();
}

TEST_F(ModelTest, ABuildGoesOnAcrossWritesBetweenItsSteps) {
  ASSERT_TRUE(collections().Define(kName, {}, kForever).ok());
  for (int i = 0; i < 1000; ++i) {
    const std::string id = fmt::format("{:04}", i);
    model_[id] = Document();
    ASSERT_TRUE(documents().Put(id, model_[id], {}, storage::Expiry::Never(), kForever).ok());
  }
  ASSERT_TRUE(collections().Define(kName, {"a"}, kForever).ok());
  for (int step = 0; step < 3; ++step) {
    Maintain();
    EXPECT_EQ(Get().definition.indexes.front().state, IndexState::kBuilding);
    for (const int i : {1, 300, 999}) {  // behind, next to and in front of the build
      const std::string id = fmt::format("{:04}", i);
      model_[id] = Document();
      ASSERT_TRUE(documents().Put(id, model_[id], {}, storage::Expiry::Never(), kForever).ok());
    }
  }
  CheckRows();
}

TEST_F(ModelTest, ADeletedCollectionLeavesNoRows) {
  ASSERT_TRUE(collections().Define(kName, {"a", "b"}, kForever).ok());
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(documents().Put(fmt::format("{}", i), Document(), {}, storage::Expiry::Never(), kForever).ok());
  }
  const std::uint64_t number = Get().definition.number;
  EXPECT_TRUE(collections().Delete(kName, kForever).value());
  while (RemoveDeleted(*rooms_, kForever).value()) {
  }
  EXPECT_TRUE(Keys(DocumentsOf(number)).empty());
  EXPECT_TRUE(Keys(IndexRowsOf(number)).empty());
  EXPECT_TRUE(Keys(AllRemovals()).empty());
}

}  // namespace
}  // namespace holdfast::documents
