// How the server finds what scans ask for, on a table large enough for it to matter: as the planner decides by itself,
// not with the setting with which the backend keeps it from reading whole tables.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "service/backends/postgres/reader.h"
#include "service/backends/postgres/statements.h"
#include "service/documents/collections.h"
#include "service/documents/documents.h"
#include "service/documents/find.h"
#include "service/documents/plan.h"
#include "service/query/entry_filter.h"
#include "service/storage/tenant_view.h"
#include "tests/unit/service/backends/postgres/fixture.h"

namespace holdfast::storage {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const Deadline kForever = Deadline::Infinite();

// Neighbours of what is asked for: index rows and documents of other collections, and keys with metadata.
constexpr const char* kFill = R"sql(
  INSERT INTO holdfast.entries (key, version, created_at, updated_at, metadata, tags, value)
  SELECT '\x6d61696e0064656661756c7400'::bytea || r.room || int8send(1000 + i % 7) || int4send(0) ||
         convert_to(lpad(i::text, 8, '0'), 'UTF8'), i, 1, 1,
         CASE r.room WHEN 'k' THEN convert_to(format('{"id":"id %s","kind":"kind %s","n":%s}', i, i % 3, i), 'UTF8') END,
         CASE r.room WHEN 'k' THEN ARRAY['all'::bytea, convert_to('tag ' || i, 'UTF8')] END, repeat('v', 50)::bytea
  FROM generate_series(1, 6000) i, (VALUES ('x'::bytea), ('d'), ('k')) r(room);
  ANALYZE holdfast.entries;
)sql";

class Plans : public PostgresTest {
 protected:
  void SetUp() override {
    backend_ = Open();
    ASSERT_NE(backend_, nullptr);
    view_ = TenantViews(backend_, "main", Limits{}).Find(kDefaultNamespace);
    const Status filled = session_.Execute(kFill);
    ASSERT_TRUE(filled.ok()) << filled.error().ToString();
    // Behind a pooler a connection leaves the session's settings, and so the planner's, as the server has them.
    options_.pooled = true;
    auto connection =
        postgres::Connection::Open(options_, postgres::Connection::Purpose::kStatements, choice_, watchdog_);
    ASSERT_TRUE(connection.ok()) << connection.error().ToString();
    connection_ = std::move(*connection);
  }

  template <typename... Parameters>
  std::string Explain(const postgres::Statement& statement, const Parameters&... parameters) {
    const postgres::Statement explain{"explain", "EXPLAIN (COSTS OFF) " + statement.text};
    const postgres::Answered answered = connection_->Run(explain, kForever, parameters...);
    if (!answered.ok()) return answered.failure->error.ToString();
    std::string plan;
    for (const auto& row : answered.rows) plan.append(row[0].c_str()).append("\n");
    return plan;
  }
  std::string ExplainScan(const KeyRange& range, bool keys_only, int entries = 100) {
    return Explain(statements_.Scan({true, false, keys_only}), postgres::Bound(range.start), nullptr, entries,
                   1'000'000, postgres::Bound(*range.end));
  }
  // Over the keys that clients PUT.
  std::string ExplainFilter(const std::string& text) {
    const auto filter = query::EntryFilter::Make(query::ParseFilter(text).value()).value();
    const auto condition = postgres::MakeConditionSql(*filter.conditions(), 7);
    const KeyRange range = view_->key_space.Wrap(KeyRange::All());
    return Explain(statements_.FilteredScan({true, false, true}, condition), postgres::Bound(range.start), nullptr, 100,
                   1'000'000, 20'000, postgres::Bound(*range.end),
                   pqxx::prepare::make_dynamic_params(condition.parameters));
  }

  const postgres::Statements statements_{"holdfast"};
  postgres_servers::Session session_ = database_.Connect().value();
  std::shared_ptr<Backend> backend_;
  std::shared_ptr<const TenantView> view_;
  postgres::PrimaryChoice choice_;
  postgres::Watchdog watchdog_;
  std::unique_ptr<postgres::Connection> connection_;
};

TEST_F(Plans, AnIndexOfACollectionIsAPartOfTheTablesOwnIndex) {
  const auto defined = documents::Collections(view_->rooms, {}).Define("orders", {"customer"}, kForever);
  ASSERT_TRUE(defined.ok()) << defined.error().ToString();
  documents::Documents orders(view_->rooms, "orders", {}, 64);
  for (int n = 0; n < 30; ++n) {
    const auto put =
        orders.Put("order " + std::to_string(n), fmt::format(R"({{"customer":{}}})", n % 10), {}, {}, kForever);
    ASSERT_TRUE(put.ok() && put->status.ok());
  }
  const auto collection = documents::Collections(view_->rooms, {}).Get("orders", kForever);
  ASSERT_TRUE(collection.ok());
  const auto filter = query::ParseFilter("customer = 7").value();
  documents::FindRequest request;
  request.filter = &filter;
  const auto found = documents::Find(*view_->rooms, *collection, request, {}, kForever);
  ASSERT_TRUE(found.ok()) << found.error().ToString();
  EXPECT_TRUE(found->by_index && found->complete);
  EXPECT_EQ(found->documents.size(), 3);
  EXPECT_EQ(found->examined, 3);

  // The statements that led there: rows of the index in a range, then the documents by their keys.
  const auto plan = documents::Choose(*view_->rooms, *collection, &filter, std::nullopt, kForever);
  ASSERT_TRUE(plan.ok() && plan->ranges.size() == 1);
  const KeyRange rows = view_->space.Wrap(plan->ranges[0]);
  const auto served = AllOf(HasSubstr("entries_pkey"), Not(HasSubstr("Seq Scan")), Not(HasSubstr("Sort")));
  EXPECT_THAT(ExplainScan(rows, true), served);
  EXPECT_THAT(Explain(statements_.Count(true), postgres::Bound(rows.start), nullptr, postgres::Bound(*rows.end)),
              AllOf(HasSubstr("entries_pkey"), Not(HasSubstr("Seq Scan"))));
  postgres::ArrayParameter keys(postgres::ArrayParameter::Type::kBytea);
  for (const KeyedEntry& document : found->documents) keys.AddBytes(document.key);
  EXPECT_THAT(Explain(statements_.read_entries, postgres::Bound(keys), nullptr),
              AllOf(HasSubstr("entries_pkey"), Not(HasSubstr("Seq Scan"))));
}

TEST_F(Plans, FiltersOnWhatIsRareAreServedByTheIndexOnAttributes) {
  const auto served = AllOf(HasSubstr("entries_attributes"), Not(HasSubstr("Seq Scan")));
  EXPECT_THAT(ExplainFilter(R"(metadata.id = "id 77")"), served);
  EXPECT_THAT(ExplainFilter(R"(metadata.n in (77, 78, 79))"), served);
  EXPECT_THAT(ExplainFilter(R"(tags has "tag 77")"), served);
  EXPECT_THAT(ExplainFilter(R"(metadata.kind = "kind 1" and metadata.id = "id 77" and metadata.n > 5)"), served);
}

TEST_F(Plans, FiltersOnWhatIsCommonAreFoundInTheOrderOfKeys) {
  const auto in_order = AllOf(HasSubstr("entries_pkey"), Not(HasSubstr("Seq Scan")), Not(HasSubstr("Sort")));
  EXPECT_THAT(ExplainFilter(R"(tags has "all")"), in_order);
  EXPECT_THAT(ExplainFilter("metadata.n > 5"), in_order);
  EXPECT_THAT(ExplainFilter("size > 5 and metadata.id exists"), in_order);
}

// As after a load that autovacuum has not got to yet.
TEST_F(Plans, APageOfATableThatWasNeverAnalysedIsReadInTheOrderOfKeys) {
  const Status forgotten = session_.Execute(
      "ALTER TABLE holdfast.entries SET (autovacuum_enabled = false);"
      "DELETE FROM pg_statistic WHERE starelid = 'holdfast.entries'::regclass");
  ASSERT_TRUE(forgotten.ok()) << forgotten.error().ToString();
  const auto in_order =
      AllOf(HasSubstr("Index Scan using entries_pkey"), Not(HasSubstr("Seq Scan")), Not(HasSubstr("Sort")));
  EXPECT_THAT(ExplainScan(view_->key_space.Wrap(KeyRange::All()), false, 200), in_order);
  EXPECT_THAT(ExplainFilter("size > 5 and metadata.id exists"), in_order);
}

TEST_F(Plans, AFilterOnTheKeyIsServedByTheKey) {
  EXPECT_THAT(ExplainFilter(R"(key in ("a", "b") and metadata.n > 5)"),
              AllOf(HasSubstr("entries_pkey"), HasSubstr("ANY"), Not(HasSubstr("Seq Scan"))));
}

}  // namespace
}  // namespace holdfast::storage
