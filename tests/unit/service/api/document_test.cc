// Collections and documents through the API; the incident store of docs/incident-store.md is the worked example.
#include <fmt/format.h>

#include <set>
#include <thread>

#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

constexpr const char* kCollection = "/v1/stores/main/collections/incidents";
constexpr const char* kIndexes = R"({"indexes":["severity","state","source","fingerprint","created_at"]})";

std::string DocumentPath(std::string_view id) {
  return fmt::format("{}/documents/{}", kCollection, id);
}

std::string Encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) encoded.append(fmt::format("%{:02X}", static_cast<unsigned char>(c)));
  return encoded;
}

std::string FindPath(std::string_view filter, std::string_view rest = "") {
  return fmt::format("{}/documents?filter={}{}", kCollection, Encoded(filter), rest);
}

std::vector<std::string> Ids(const Answer& answer) {
  EXPECT_EQ(answer.status, 200) << answer.body;
  std::vector<std::string> ids;
  const auto page = answer.Json();
  if (page.contains("items")) {
    for (const auto& item : page.at("items")) ids.push_back(item.at("id"));
  }
  return ids;
}

std::set<std::string> IdSet(const Answer& answer) {
  const auto ids = Ids(answer);
  return {ids.begin(), ids.end()};
}

// Every page, one after the other.
std::vector<std::string> AllIds(ApiHarness& api, const std::string& target) {
  std::vector<std::string> ids;
  std::string cursor;
  for (int pages = 0; pages < 1000; ++pages) {
    const Answer answer = api.Send("GET", target + (cursor.empty() ? "" : "&cursor=" + cursor));
    const auto page = Ids(answer);
    ids.insert(ids.end(), page.begin(), page.end());
    if (answer.status != 200 || answer.Json().at("complete") == true) return ids;
    cursor = answer.Json().at("cursor");
  }
  ADD_FAILURE() << "the pages do not end";
  return ids;
}

void WaitUntilReady(ApiHarness& api, const std::string& collection) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (std::chrono::steady_clock::now() < deadline) {
    const auto indexes = api.Send("GET", collection).Json().at("indexes");
    if (std::all_of(indexes.begin(), indexes.end(), [](const auto& index) { return index.at("state") == "ready"; })) {
      return;
    }
    std::this_thread::yield();
  }
  ADD_FAILURE() << "the indexes are not built";
}

void PutIncident(ApiHarness& api, std::string_view id, std::string_view severity, std::string_view state,
                 std::string_view source, std::string_view fingerprint, std::string_view created_at) {
  const nlohmann::json incident{{"severity", severity},
                                {"state", state},
                                {"source", source},
                                {"fingerprint", fingerprint},
                                {"created_at", created_at}};
  EXPECT_EQ(api.Send("PUT", DocumentPath(id), {}, incident.dump()).status, 201);
}

TEST(DocumentApiTest, ACollectionIsCreatedChangedListedAndDeleted) {
  ApiHarness api;
  EXPECT_EQ(api.Send("GET", kCollection).Code(), "not_found");
  const Answer created = api.Send("PUT", kCollection, {}, R"({"indexes":["severity"]})");
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.Json(),
            nlohmann::json::parse(R"({"name":"incidents","indexes":[{"path":"severity","state":"ready"}]})"));
  EXPECT_EQ(api.Send("PUT", kCollection, {}, R"({"indexes":["severity","state"]})").status, 200);
  WaitUntilReady(api, kCollection);
  EXPECT_EQ(api.Send("GET", kCollection).Json().at("indexes").size(), 2u);

  ASSERT_EQ(api.Send("PUT", "/v1/stores/main/collections/agents", {}, R"({"indexes":[]})").status, 201);
  const Answer first = api.Send("GET", "/v1/stores/main/collections?limit=1");
  EXPECT_EQ(first.Json().at("items").at(0).at("name"), "agents");
  EXPECT_EQ(first.Json().at("complete"), false);
  const Answer second =
      api.Send("GET", "/v1/stores/main/collections?cursor=" + first.Json().at("cursor").get<std::string>());
  EXPECT_EQ(second.Json().at("items").at(0).at("name"), "incidents");
  EXPECT_EQ(second.Json().at("complete"), true);

  ASSERT_EQ(api.Send("PUT", DocumentPath("1"), {}, "{}").status, 201);
  EXPECT_EQ(api.Send("DELETE", kCollection).status, 204);
  EXPECT_EQ(api.Send("DELETE", kCollection).status, 204) << "deleting what is gone is no error";
  EXPECT_EQ(api.Send("GET", DocumentPath("1")).status, 404);
  ASSERT_EQ(api.Send("PUT", kCollection, {}, kIndexes).status, 201);
  EXPECT_EQ(api.Send("GET", DocumentPath("1")).status, 404) << "its successor begins empty";
  EXPECT_EQ(api.Send("GET", fmt::format("{}/count", kCollection)).Json().at("count"), 0);
}

TEST(DocumentApiTest, ADocumentIsWrittenReadAndDeletedWithPreconditions) {
  ApiHarness api;
  EXPECT_EQ(api.Send("PUT", DocumentPath("1"), {}, "{}").status, 404) << "no collection";
  ASSERT_EQ(api.Send("PUT", kCollection, {}, kIndexes).status, 201);
  const std::string text = R"({ "severity": "P0" })";
  const Answer created = api.Send("PUT", DocumentPath("1"), {{"If-None-Match", "*"}}, text);
  ASSERT_EQ(created.status, 201) << created.body;
  const std::string etag = created.Header("ETag");
  EXPECT_EQ(api.Send("PUT", DocumentPath("1"), {{"If-None-Match", "*"}}, text).status, 412);

  const Answer read = api.Send("GET", DocumentPath("1"));
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.body, text) << "as it was given";
  EXPECT_EQ(read.content_type, "application/json");
  EXPECT_EQ(read.Header("ETag"), etag);
  EXPECT_EQ(api.Send("GET", DocumentPath("1"), {{"If-None-Match", etag}}).status, 304);
  EXPECT_EQ(api.Send("GET", DocumentPath("1"), {{"If-Match", "\"1\""}}).status, 412);

  const Answer replaced = api.Send("PUT", DocumentPath("1"), {{"If-Match", etag}}, R"({"severity":"P1"})");
  EXPECT_EQ(replaced.status, 204);
  const Answer stale = api.Send("PUT", DocumentPath("1"), {{"If-Match", etag}}, text);
  EXPECT_EQ(stale.status, 412);
  EXPECT_EQ(stale.Header("ETag"), replaced.Header("ETag"));
  EXPECT_EQ(api.Send("DELETE", DocumentPath("1"), {{"If-Match", etag}}).status, 412);
  EXPECT_EQ(api.Send("DELETE", DocumentPath("1"), {{"If-Match", replaced.Header("ETag")}}).status, 204);
  EXPECT_EQ(api.Send("DELETE", DocumentPath("1")).status, 204);
  EXPECT_EQ(api.Send("GET", DocumentPath("1")).Code(), "not_found");
}

TEST(DocumentApiTest, AnIdMayHoldSlashesAndEscapes) {
  ApiHarness api;
  ASSERT_EQ(api.Send("PUT", kCollection, {}, kIndexes).status, 201);
  ASSERT_EQ(api.Send("PUT", DocumentPath("a/b%20c"), {}, R"({"severity":"P0"})").status, 201);
  EXPECT_EQ(Ids(api.Send("GET", FindPath(R"(severity = "P0")"))), std::vector<std::string>{"a/b c"});
  EXPECT_EQ(api.Send("GET", DocumentPath("a%2Fb%20c")).status, 200);
  EXPECT_EQ(api.Send("PUT", DocumentPath("%FF"), {}, "{}").status, 400);
  EXPECT_EQ(api.Send("PUT", DocumentPath(""), {}, "{}").status, 400);
}

TEST(DocumentApiTest, ADocumentAndItsIndexRowsExpireTogether) {
  ApiHarness api;
  ASSERT_EQ(api.Send("PUT", kCollection, {}, kIndexes).status, 201);
  const Answer put = api.Send("PUT", DocumentPath("1"), {{"Holdfast-TTL", "10s"}}, R"({"severity":"P0"})");
  ASSERT_EQ(put.status, 201);
  EXPECT_EQ(put.Header("Holdfast-Expires-At"), "2023-11-14T22:13:30Z");
  EXPECT_EQ(Ids(api.Send("GET", FindPath(R"(severity = "P0")"))).size(), 1u);
  api.clock().Advance(std::chrono::seconds{11});
  EXPECT_EQ(api.Send("GET", DocumentPath("1")).status, 404);
  EXPECT_TRUE(Ids(api.Send("GET", FindPath(R"(severity = "P0")"))).empty());
  EXPECT_EQ(api.Send("GET", fmt::format("{}/count?filter={}", kCollection, Encoded(R"(severity = "P0")"))).Json(),
            nlohmann::json::parse(R"({"count":0})"));
}

TEST(DocumentApiTest, OtherFormatsAreTakenAndGiven) {
  ApiHarness api;
  ASSERT_EQ(api.Send("PUT", kCollection, {}, kIndexes).status, 201);
  const std::vector<std::uint8_t> cbor = nlohmann::json::to_cbor(nlohmann::json{{"severity", "P2"}});
  ASSERT_EQ(
      api.Send("PUT", DocumentPath("1"), {{"Content-Type", "application/cbor"}}, std::string(cbor.begin(), cbor.end()))
          .status,
      201);
  EXPECT_EQ(api.Send("GET", DocumentPath("1")).body, R"({"severity":"P2"})");
  const Answer packed = api.Send("GET", DocumentPath("1"), {{"Accept", "application/cbor"}});
  EXPECT_EQ(packed.content_type, "application/cbor");
  EXPECT_EQ(nlohmann::json::from_cbor(packed.body), nlohmann::json({{"severity", "P2"}}));
  EXPECT_EQ(api.Send("PUT", DocumentPath("1"), {{"Content-Type", "image/png"}}, "{}").status, 415);
}

TEST(DocumentApiTest, WhatIsWrongIsRefusedByName) {
  ApiHarness api;
  ASSERT_EQ(api.Send("PUT", kCollection, {}, kIndexes).status, 201);
  const std::vector<std::pair<Answer, std::string>> refused = {
      {api.Send("PUT", DocumentPath("1"), {}, "[1]"), "an array"},
      {api.Send("PUT", DocumentPath("1"), {}, R"({"a":1,"a":2})"), "the document"},
      {api.Send("PUT", kCollection, {}, R"({"index":[]})"), "index"},
      {api.Send("PUT", kCollection, {}, R"({"indexes":"a"})"), "indexes"},
      {api.Send("PUT", kCollection, {}, R"({"indexes":["a","a"]})"), "twice"},
      {api.Send("PUT", "/v1/stores/main/collections/_a", {}, kIndexes), "name"},
      {api.Send("PUT", "/v1/stores/main/collections/a%2Fb", {}, kIndexes), "name"},
      {api.Send("GET", FindPath("severity =")), "filter"},
      {api.Send("GET", fmt::format("{}/documents?order=title", kCollection)), "not indexed"},
      {api.Send("GET", fmt::format("{}/documents?limit=0", kCollection)), "limit"},
      {api.Send("GET", fmt::format("{}/documents?cursor=abc", kCollection)), "cursor"},
  };
  for (const auto& [answer, word] : refused) {
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_NE(answer.Detail().find(word), std::string::npos) << answer.body;
  }
  EXPECT_EQ(api.Send("POST", kCollection, {}, "{}").status, 405);
  EXPECT_EQ(api.Send("GET", fmt::format("{}/other", kCollection)).status, 404);
}

TEST(DocumentApiTest, ACursorGoesOnOnlyWithItsOwnQuery) {
  ApiHarness api;
  ASSERT_EQ(api.Send("PUT", kCollection, {}, kIndexes).status, 201);
  for (int i = 0; i < 5; ++i) {
    PutIncident(api, fmt::format("{}", i), "P0", "Active", "api", "f", fmt::format("2026-01-0{}T00:00:00Z", i + 1));
  }
  const std::string query = FindPath(R"(severity = "P0")", "&order=-created_at&limit=2");
  EXPECT_EQ(AllIds(api, query), (std::vector<std::string>{"4", "3", "2", "1", "0"}));
  const std::string cursor = api.Send("GET", query).Json().at("cursor");
  EXPECT_EQ(api.Send("GET", FindPath(R"(severity = "P0")", "&order=created_at&cursor=" + cursor)).status, 400);
  EXPECT_EQ(api.Send("GET", FindPath(R"(severity = "P1")", "&order=-created_at&cursor=" + cursor)).status, 400);
  EXPECT_EQ(api.Send("GET", query + "&cursor=" + cursor, {{"Holdfast-Namespace", "other"}}).status, 400);
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/keys?cursor=" + cursor).status, 400);
}

TEST(DocumentApiTest, NamespacesDoNotSeeEachOther) {
  ApiHarness api;
  ASSERT_EQ(api.Send("PUT", kCollection, {}, kIndexes).status, 201);
  ASSERT_EQ(api.Send("PUT", DocumentPath("1"), {}, R"({"severity":"P0"})").status, 201);
  const HeaderList other{{"Holdfast-Namespace", "other"}};
  EXPECT_EQ(api.Send("GET", DocumentPath("1"), other).status, 404);
  ASSERT_EQ(api.Send("PUT", kCollection, other, kIndexes).status, 201);
  EXPECT_EQ(api.Send("GET", FindPath(R"(severity = "P0")"), other).Json().at("items").size(), 0u);
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/count").Json().at("count"), 0) << "documents are no keys";
}

TEST(DocumentApiTest, IndexesOfAFullCollectionAreBuiltAndDropped) {
  ApiHarness api;
  ASSERT_EQ(api.Send("PUT", kCollection, {}, R"({"indexes":[]})").status, 201);
  constexpr int kDocuments = 700;  // several steps
  for (int i = 0; i < kDocuments; ++i) {
    PutIncident(api, fmt::format("{:04}", i), fmt::format("P{}", i % 4), "Active", "api", "f", "2026-01-01T00:00:00Z");
  }
  const Answer scanned = api.Send("GET", FindPath(R"(severity = "P3")", "&limit=1000"));
  EXPECT_EQ(scanned.Json().at("examined"), kDocuments);
  ASSERT_EQ(api.Send("PUT", kCollection, {}, R"({"indexes":["severity"]})").status, 200);
  WaitUntilReady(api, kCollection);
  const Answer found = api.Send("GET", FindPath(R"(severity = "P3")", "&limit=1000"));
  EXPECT_EQ(found.Json().at("examined"), kDocuments / 4) << "the index is used";
  EXPECT_EQ(IdSet(found), IdSet(scanned));
  const auto examined = [&](const char* by) {
    return api.registry()
        .GetCounter("holdfast_documents_examined_total", "Documents read to answer queries and counts.",
                    {{"store", "main"}, {"by", by}})
        .Value();
  };
  EXPECT_EQ(examined("scan"), kDocuments);
  EXPECT_EQ(examined("index"), kDocuments / 4);
  ASSERT_EQ(api.Send("PUT", kCollection, {}, R"({"indexes":[]})").status, 200);
  WaitUntilReady(api, kCollection);
  EXPECT_EQ(api.Send("GET", kCollection).Json().at("indexes").size(), 0u);
  EXPECT_EQ(IdSet(api.Send("GET", FindPath(R"(severity = "P3")", "&limit=1000"))), IdSet(scanned));
}

TEST(DocumentApiTest, ACountThatWouldReadTooMuchSaysWhatToDo) {
  ApiHarness::Options options;
  options.api.collections.max_examined = 3;
  ApiHarness api(options);
  ASSERT_EQ(api.Send("PUT", kCollection, {}, R"({"indexes":["severity"]})").status, 201);
  for (const char* id : {"1", "2", "3", "4", "5"}) {
    PutIncident(api, id, "P0", "Active", "api", "f", "2026-01-01T00:00:00Z");
  }
  const auto count = [&](std::string_view filter) {
    return api.Send("GET", fmt::format("{}/count?filter={}", kCollection, Encoded(filter)));
  };
  EXPECT_EQ(count(R"(severity = "P0")").Json().at("count"), 5) << "from the index alone";
  const Answer refused = count(R"(state = "Active")");
  EXPECT_EQ(refused.Code(), "failed_precondition");
  EXPECT_NE(refused.Detail().find("limits.documents_examined"), std::string::npos);
  EXPECT_EQ(AllIds(api, FindPath(R"(state = "Active")")).size(), 5u) << "pages end early and go on";
}

// The queries of docs/incident-store.md.
TEST(DocumentApiTest, TheIncidentStore) {
  ApiHarness api;
  ASSERT_EQ(api.Send("PUT", kCollection, {}, kIndexes).status, 201);
  PutIncident(api, "inc-1", "P0", "Active", "prometheus", "db-down", "2026-11-20T10:00:00Z");
  PutIncident(api, "inc-2", "P0", "Resolved", "prometheus", "db-down", "2026-11-19T10:00:00Z");
  PutIncident(api, "inc-3", "P1", "Active", "sentinel", "latency", "2026-11-20T11:00:00Z");
  PutIncident(api, "inc-4", "P0", "Active", "sentinel", "drift", "2026-11-20T12:00:00Z");

  EXPECT_EQ(Ids(api.Send("GET", FindPath(R"(severity = "P0" and state = "Active")", "&order=-created_at"))),
            (std::vector<std::string>{"inc-4", "inc-1"}));
  EXPECT_EQ(IdSet(api.Send("GET", FindPath(R"(fingerprint = "db-down" and state != "Resolved")"))),
            (std::set<std::string>{"inc-1"}));
  EXPECT_EQ(IdSet(api.Send("GET", FindPath(R"(source in ("prometheus", "sentinel") and severity <= "P0")"))),
            (std::set<std::string>{"inc-1", "inc-2", "inc-4"}));
  EXPECT_EQ(IdSet(api.Send("GET", FindPath(R"(created_at >= "2026-11-20T11:00:00Z")"))),
            (std::set<std::string>{"inc-3", "inc-4"}));
  const auto active = fmt::format("{}/count?filter={}", kCollection, Encoded(R"(state = "Active")"));
  EXPECT_EQ(api.Send("GET", active).Json().at("count"), 3);

  const Answer read = api.Send("GET", DocumentPath("inc-1"));
  nlohmann::json incident = read.Json();
  incident["state"] = "Resolved";
  EXPECT_EQ(api.Send("PUT", DocumentPath("inc-1"), {{"If-Match", read.Header("ETag")}}, incident.dump()).status, 204);
  EXPECT_EQ(api.Send("GET", active).Json().at("count"), 2) << "the index changes with the document";
}

}  // namespace
}  // namespace holdfast::api
