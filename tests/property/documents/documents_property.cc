// Random writes, definitions, queries and counts, each answer compared with a model that looks at every document, while
// indexes are built and dropped step by step in between. HOLDFAST_SEED chooses the sequence.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>

#include "service/documents/document.h"
#include "service/documents/documents.h"
#include "service/documents/find.h"
#include "service/documents/maintenance.h"
#include "service/query/evaluate.h"
#include "tests/property/documents/index_checker.h"
#include "tests/property/documents/tenant_rooms.h"

namespace holdfast::documents {
namespace {

using storage::conformance::BackendUnderTest;

constexpr int kOperations = 12'000;
constexpr std::size_t kCut = 16;  // strings are cut early, so that cut ones are met
const char* const kCollection = "incidents";

CollectionLimits SmallLimits() {
  CollectionLimits limits;
  limits.max_value_bytes = kCut;
  return limits;
}

struct Stored {
  std::string text;
  std::optional<Timestamp> expires_at;
};

class Trial {
 public:
  Trial(const BackendUnderTest& backend, std::uint64_t seed) : rooms_(backend), random_(seed) { Define(); }

  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }

  void Step() {
    switch (Below(24)) {
      case 0:
        if (Below(6) == 0) Define();
        break;
      case 1:
      case 2:
        Maintain();
        break;
      case 3:
        if (Below(4) == 0) rooms_.harness().clock().Advance(std::chrono::milliseconds{Below(4'000)});
        break;
      case 4:
        if (Below(40) == 0) rooms_.Reopen();
        break;
      case 5:
        if (Below(60) == 0) DeleteCollection();
        break;
      case 6:
      case 7:
      case 8:
      case 9:
        Query();
        break;
      case 10:
      case 11:
        CountThem();
        break;
      case 12:
      case 13:
      case 14:
        Delete();
        break;
      default:
        Put();
    }
  }

  void Finish() {
    FinishMaintenance(*rooms_.rooms(), kCollection);
    EXPECT_EQ(CheckIndexes(*rooms_.rooms(), kCollection), std::vector<std::string>());
    for (int i = 0; i < 50; ++i) Query();
  }

  int queries = 0;
  int from_index = 0;

 private:
  Collections MakeCollections() { return {rooms_.rooms(), SmallLimits()}; }
  Documents MakeDocuments() { return {rooms_.rooms(), kCollection, SmallLimits(), 64}; }
  Collection Current() {
    auto collection = MakeCollections().Get(kCollection, Deadline::Infinite());
    EXPECT_TRUE(collection.ok());
    return *collection;
  }

  // Few and alike, of every type, so that filters meet them; some longer than what indexes keep.
  std::string Value() {
    static const std::vector<std::string> kValues = {"null",
                                                     "true",
                                                     "false",
                                                     "0",
                                                     "1",
                                                     "1.0",
                                                     "-1",
                                                     "1.5",
                                                     "9007199254740993",
                                                     "9007199254740992.0",
                                                     "9223372036854775807",
                                                     "18446744073709551615",
                                                     "1e300",
                                                     "\"\"",
                                                     "\"a\"",
                                                     "\"b\"",
                                                     "\"a\\u0000b\"",
                                                     "\"aaaaaaaaaaaaaaaa\"",
                                                     "\"aaaaaaaaaaaaaaaab\"",
                                                     "\"aaaaaaaaaaaaaaaac\"",
                                                     "[1,\"a\"]",
                                                     "{\"y\":1}"};
    return kValues[Below(kValues.size())];
  }
  std::string Literal() {
    for (;;) {
      std::string value = Value();
      if (value[0] != '[' && value[0] != '{' && value != "18446744073709551615") return value;
    }
  }
  std::string Path() {
    static const std::vector<std::string> kPaths = {"a", "b", "c.x", "c"};
    return kPaths[Below(kPaths.size())];
  }
  std::string Document() {
    std::string text = "{\"n\":" + std::to_string(Below(1000));
    if (Below(4) != 0) text.append(",\"a\":").append(Value());
    if (Below(4) != 0) text.append(",\"b\":").append(Value());
    if (Below(4) != 0) text.append(",\"c\":{\"x\":").append(Value()).append("}");
    return text.append("}");
  }
  std::string Id() { return "d" + std::to_string(Below(150)); }

  std::string Comparison() {
    static const std::vector<std::string> kOperators = {"=", "=", "!=", "<", "<=", ">", ">="};
    std::string text = Path();
    switch (Below(8)) {
      case 0:
        return text.append(" exists");
      case 1:
        return text.append(" has ").append(Literal());
      case 2: {
        text.append(" in (").append(Literal());
        for (std::uint64_t more = Below(4); more > 0; --more) text.append(",").append(Literal());
        return text.append(")");
      }
      default:
        break;
    }
    const std::string op = kOperators[Below(kOperators.size())];
    std::string literal = Literal();
    while (op[0] != '=' && op[0] != '!' && (literal == "null" || literal == "true" || literal == "false")) {
      literal = Literal();
    }
    return text.append(" ").append(op).append(" ").append(literal);
  }
  std::optional<query::Filter> MaybeFilter() {
    if (Below(5) == 0) return std::nullopt;
    std::string text = Comparison();
    for (std::uint64_t more = Below(3); more > 0; --more) text.append(" and ").append(Comparison());
    auto filter = query::ParseFilter(text);
    EXPECT_TRUE(filter.ok()) << text;
    return *filter;
  }

  void Forget() {
    model_.clear();
    Define();
  }

  void Define() {
    std::vector<std::string> paths;
    for (const char* path : {"a", "b", "c.x", "c"}) {
      if (Below(2) == 0) paths.emplace_back(path);
    }
    const auto put = MakeCollections().Define(kCollection, paths, Deadline::Infinite());
    ASSERT_TRUE(put.ok()) << put.error().ToString();
  }

  void DeleteCollection() {
    const auto deleted = MakeCollections().Delete(kCollection, Deadline::Infinite());
    ASSERT_TRUE(deleted.ok() && *deleted);
    Forget();
  }

  void Maintain() {
    const auto more = MaintainCollection(*rooms_.rooms(), kCollection, Deadline::Infinite());
    ASSERT_TRUE(more.ok()) << more.error().ToString();
    ASSERT_TRUE(RemoveDeleted(*rooms_.rooms(), Deadline::Infinite()).ok());
  }

  void DropExpired() {
    const Timestamp now = rooms_.harness().clock().Now();
    std::erase_if(model_, [&](const auto& row) { return row.second.expires_at && *row.second.expires_at <= now; });
  }

  void Put() {
    DropExpired();
    const std::string id = Id();
    Stored stored{Document(), std::nullopt};
    storage::Expiry expiry;
    switch (Below(6)) {
      case 0:
        expiry = storage::Expiry::After(std::chrono::milliseconds{1 + Below(5'000)});
        stored.expires_at = rooms_.harness().clock().Now() + expiry.after;
        break;
      case 1:
        expiry = storage::Expiry::Keep();
        if (const auto found = model_.find(id); found != model_.end()) stored.expires_at = found->second.expires_at;
        break;
      default:
        break;
    }
    const auto put = MakeDocuments().Put(id, stored.text, {}, expiry, Deadline::Infinite());
    ASSERT_TRUE(put.ok()) << put.error().ToString();
    ASSERT_TRUE(put->status.ok());
    ASSERT_EQ(put->expires_at, stored.expires_at);
    model_[id] = std::move(stored);
  }

  void Delete() {
    DropExpired();
    const std::string id = Id();
    const auto deleted = MakeDocuments().Delete(id, {}, Deadline::Infinite());
    ASSERT_TRUE(deleted.ok() && deleted->status.ok());
    ASSERT_EQ(deleted->version != 0, model_.erase(id) == 1);
  }

  // Ids of what matches, in the order of the index on `order` where there is one, else by id.
  std::vector<std::string> Expected(const query::Filter* filter, const std::optional<Order>& order) {
    DropExpired();
    Index index;
    index.path = order ? order->path : "";
    index.max_value_bytes = kCut;
    std::vector<std::pair<std::string, std::string>> found;
    for (const auto& [id, stored] : model_) {
      const auto document = ParseDocument(stored.text);
      if (filter != nullptr && !query::Matches(*filter, *document)) continue;
      found.emplace_back(order ? IndexedValue(index, *document) : "", id);
    }
    std::sort(found.begin(), found.end());
    if (order && order->descending) std::reverse(found.begin(), found.end());
    std::vector<std::string> ids;
    for (auto& row : found) ids.push_back(std::move(row.second));
    return ids;
  }

  void Query() {
    const auto filter = MaybeFilter();
    std::optional<Order> order;
    if (Below(2) == 0) order = Order{Path(), Below(2) == 0};
    FindRequest request;
    request.filter = filter ? &*filter : nullptr;
    request.order = order;
    SCOPED_TRACE((filter ? query::ToText(*filter) : "no filter") + " order " + (order ? order->path : "none"));

    const Collection collection = Current();
    const Index* index = order ? collection.definition.Find(order->path) : nullptr;
    CollectionLimits limits = SmallLimits();
    if (Below(3) == 0) limits.max_examined = 1 + Below(50);
    std::vector<std::string> ids;
    for (int pages = 0;; ++pages) {
      ASSERT_LT(pages, 1'000);
      request.limit = 1 + Below(60);
      const auto page = Find(*rooms_.rooms(), collection, request, limits, Deadline::Infinite());
      if (order && (index == nullptr || index->state != IndexState::kReady)) {
        ASSERT_FALSE(page.ok());
        ASSERT_EQ(page.error().code(), index == nullptr ? ErrorCode::kInvalidArgument : ErrorCode::kFailedPrecondition);
        return;
      }
      ASSERT_TRUE(page.ok()) << page.error().ToString();
      ASSERT_LE(page->examined, limits.max_examined);
      ASSERT_LE(page->documents.size(), request.limit);
      for (const storage::KeyedEntry& document : page->documents) {
        ids.push_back(document.key);
        ASSERT_EQ(document.entry->value, model_.at(document.key).text);
      }
      if (page->complete) break;
      request.position = page->position;
    }
    ++queries;
    if (order) ++from_index;
    if (!order) std::sort(ids.begin(), ids.end());
    ASSERT_EQ(ids, Expected(request.filter, order));
  }

  void CountThem() {
    const auto filter = MaybeFilter();
    SCOPED_TRACE(filter ? query::ToText(*filter) : "no filter");
    const auto count =
        Count(*rooms_.rooms(), Current(), filter ? &*filter : nullptr, SmallLimits(), Deadline::Infinite());
    ASSERT_TRUE(count.ok()) << count.error().ToString();
    ASSERT_EQ(count->count, Expected(filter ? &*filter : nullptr, std::nullopt).size());
  }

  TenantRooms rooms_;
  std::mt19937_64 random_;
  std::map<std::string, Stored> model_;
};

class DocumentsProperty : public testing::TestWithParam<BackendUnderTest> {};

TEST_P(DocumentsProperty, RandomCallsAnswerAsTheModelDoes) {
  const char* given = std::getenv("HOLDFAST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  Trial trial(GetParam(), seed);
  for (int done = 0; done < kOperations && !testing::Test::HasFailure(); ++done) {
    SCOPED_TRACE("after " + std::to_string(done) + " operations");
    trial.Step();
  }
  trial.Finish();
  // The comparison would say nothing if every order had been refused.
  EXPECT_GT(trial.from_index, 100);
  EXPECT_GT(trial.queries, trial.from_index);
}

std::string Name(const testing::TestParamInfo<BackendUnderTest>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(memory, DocumentsProperty, testing::Values(storage::conformance::MemoryUnderTest()), Name);
INSTANTIATE_TEST_SUITE_P(rocksdb, DocumentsProperty, testing::Values(storage::conformance::RelaxedRocksDbUnderTest()),
                         Name);

}  // namespace
}  // namespace holdfast::documents
