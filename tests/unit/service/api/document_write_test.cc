// Writes of documents and collections that meet others: contention, fences, small limits, callers with few rights.
#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "service/documents/collections.h"
#include "service/storage/forwarding_backend.h"
#include "tests/unit/service/api/api_harness.h"
#include "tests/unit/service/tenancy/temporary_file.h"

namespace holdfast::api {
namespace {

constexpr const char* kCollection = "/v1/stores/main/collections/incidents";
constexpr const char* kDocument = "/v1/stores/main/collections/incidents/documents/1";
constexpr const char* kIndexes = R"({"indexes":["severity","state"]})";

// While it is on, somebody else is always faster.
class Contended final : public storage::ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override {
    if (!on) return backend().Transact(transaction, deadline);
    if (++attempts % 2 == 0) return storage::TransactionResult{};
    return Error(ErrorCode::kVersionConflict, "the transaction collided with others");
  }

  std::atomic<bool> on{false};
  std::atomic<int> attempts{0};
};

TEST(DocumentWriteTest, AContendedWriteIsTriedAgainAndThenAConflictAndNever412) {
  std::shared_ptr<Contended> contended;
  ApiHarness::Options options;
  options.wrap = [&](std::shared_ptr<storage::Backend> backend) {
    contended = std::make_shared<Contended>(std::move(backend));
    return contended;
  };
  ApiHarness api(options);
  ASSERT_EQ(api.Send("PUT", kCollection, {}, kIndexes).status, 201);
  const Answer put = api.Send("PUT", kDocument, {}, R"({"severity":"P0"})");
  ASSERT_EQ(put.status, 201);

  const auto refused = [&](std::string_view method, const std::string& target, const std::string& body) {
    contended->attempts = 0;
    contended->on = true;
    const Answer answer = api.Send(method, target, {}, body);
    contended->on = false;
    EXPECT_EQ(answer.status, 409) << method << target;
    EXPECT_EQ(answer.Code(), "conflict") << answer.body;
    EXPECT_EQ(answer.Json().value("retryable", false), true);
    EXPECT_EQ(contended->attempts, documents::kMaxAttempts);
  };
  refused("PUT", kDocument, R"({"severity":"P1"})");
  refused("DELETE", kDocument, "");
  refused("PUT", kCollection, R"({"indexes":[]})");
  refused("DELETE", kCollection, "");
  const Answer read = api.Send("GET", kDocument);
  EXPECT_EQ(read.body, R"({"severity":"P0"})") << "nothing was changed";
  EXPECT_EQ(read.Header("ETag"), put.Header("ETag"));
}

TEST(DocumentWriteTest, WritersOfOneDocumentWithoutPreconditionsNeverSee412) {
  ApiHarness api;
  ASSERT_EQ(api.Send("PUT", kCollection, {}, kIndexes).status, 201);
  constexpr int kWriters = 4;
  constexpr int kWrites = 50;
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      for (int i = 0; i < kWrites; ++i) {
        const Answer answer = api.Send("PUT", kDocument, {}, fmt::format(R"({{"severity":"{}","n":{}}})", writer, i));
        EXPECT_TRUE(answer.status == 201 || answer.status == 204 || answer.Code() == "conflict") << answer.body;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(api.Send("GET", fmt::format("{}/count", kCollection)).Json().at("count"), 1);
}

// The client's limit is the client's: a document changes with all its index rows, and builds go in steps of hundreds.
TEST(DocumentWriteTest, ASmallBatchLimitHoldsUpNeitherDocumentsNorBuilds) {
  ApiHarness::Options options;
  options.memory.limits.max_operations = 1;
  ApiHarness api(options);
  ASSERT_EQ(api.Send("PUT", kCollection, {}, kIndexes).status, 201);
  for (int i = 0; i < 20; ++i) {
    const auto target = fmt::format("{}/documents/{}", kCollection, i);
    ASSERT_EQ(api.Send("PUT", target, {}, R"({"severity":"P0","state":"a"})").status, 201);
    ASSERT_EQ(api.Send("PUT", target, {}, R"({"severity":"P1","state":"b"})").status, 204);
  }
  ASSERT_EQ(api.Send("PUT", kCollection, {}, R"({"indexes":["severity","state","source"]})").status, 200);
  const Deadline deadline = Deadline::After(std::chrono::seconds{30});
  while (api.Send("GET", kCollection).body.find("building") != std::string::npos && !deadline.Expired()) {
    std::this_thread::yield();
  }
  EXPECT_EQ(api.Send("GET", kCollection).body.find("building"), std::string::npos);
  EXPECT_EQ(api.Send("GET", fmt::format("{}/documents?order=source&limit=20", kCollection)).Json().at("items").size(),
            20u);
  const std::string two = R"({"operations":[{"op":"get","key":"a"},{"op":"get","key":"b"}]})";
  EXPECT_EQ(api.Send("POST", "/v1/stores/main/batch", {}, two).status, 400) << "a client's batch has its limit";
}

TEST(DocumentWriteTest, ATransactionOfAsManyOperationsAsAreAllowedMayHaveAFence) {
  ApiHarness::Options options;
  options.memory.limits.max_operations = 2;
  ApiHarness api(options);
  const HeaderList fence{{"Holdfast-Fence", "lock=1"}};
  const auto put = [&](int operations) {
    std::string list;
    for (int i = 0; i < operations; ++i) {
      list.append(fmt::format(R"({}{{"op":"put","key":"{}","value":"v"}})", i == 0 ? "" : ",", i));
    }
    return api.Send("POST", "/v1/stores/main/transaction", fence, fmt::format(R"({{"then":[{}]}})", list));
  };
  EXPECT_EQ(put(2).status, 200);
  EXPECT_EQ(put(3).status, 400);
  const std::string split = R"({"then":[{"op":"put","key":"a","value":"v"},{"op":"put","key":"b","value":"v"}],)"
                            R"("else":[{"op":"put","key":"c","value":"v"}]})";
  EXPECT_EQ(api.Send("POST", "/v1/stores/main/transaction", fence, split).status, 400) << "the branches count together";
}

TEST(DocumentWriteTest, AnOutdatedFenceRefusesEveryWriteAndChangesNothing) {
  ApiHarness api;
  const auto acquire = [&] {
    const Answer grant = api.Send("POST", "/v1/stores/main/locks/l", {}, R"({"owner":"o","ttl":"10s"})");
    EXPECT_EQ(grant.status, 201) << grant.body;
    return HeaderList{{"Holdfast-Fence", fmt::format("l={}", grant.Json().at("token").get<std::uint64_t>())}};
  };
  const HeaderList old_fence = acquire();
  ASSERT_EQ(api.Send("PUT", kCollection, old_fence, kIndexes).status, 201);
  const Answer put = api.Send("PUT", kDocument, old_fence, R"({"severity":"P0"})");
  ASSERT_EQ(put.status, 201) << put.body;
  EXPECT_NE(put.Header("ETag"), "");
  api.clock().Advance(std::chrono::seconds{11});
  EXPECT_EQ(api.Send("PUT", kDocument, old_fence, R"({"severity":"P1"})").status, 204)
      << "nobody has taken the lock since";
  const HeaderList new_fence = acquire();

  const auto refused = [&](std::string_view method, const std::string& target, const std::string& body) {
    const Answer answer = api.Send(method, target, old_fence, body);
    EXPECT_EQ(answer.status, 412) << method << target;
    EXPECT_EQ(answer.Code(), "fenced") << answer.body;
  };
  refused("PUT", kDocument, R"({"severity":"P2"})");
  refused("DELETE", kDocument, "");
  refused("DELETE", fmt::format("{}/documents/absent", kCollection), "");
  refused("PUT", kCollection, R"({"indexes":[]})");
  refused("PUT", kCollection, kIndexes);
  refused("PUT", "/v1/stores/main/collections/other", kIndexes);
  refused("DELETE", kCollection, "");
  refused("DELETE", "/v1/stores/main/collections/other", "");
  EXPECT_EQ(api.Send("GET", kDocument).body, R"({"severity":"P1"})");
  EXPECT_EQ(api.Send("GET", kCollection).Json().at("indexes").size(), 2u);
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/collections/other").status, 404);

  EXPECT_EQ(api.Send("PUT", kDocument, new_fence, R"({"severity":"P3"})").status, 204);
  EXPECT_EQ(api.Send("DELETE", kDocument, new_fence).status, 204);
  EXPECT_EQ(api.Send("DELETE", kCollection, new_fence).status, 204);
  EXPECT_EQ(api.Send("PUT", kDocument, {{"Holdfast-Fence", "l"}}, "{}").status, 400);
  EXPECT_EQ(api.Send("GET", kDocument, new_fence).status, 400) << "a read is not fenced";
}

TEST(DocumentWriteTest, WhatTellsOfTheContentNeedsReadBesideList) {
  const tenancy::TemporaryFile file(
      "tokens:\n"
      "  - {name: lister, token: canary-lister}\n"
      "  - {name: reader, token: canary-reader}\n"
      "  - {name: both, token: canary-both}\n"
      "  - {name: all, token: canary-all}\n"
      "rules:\n"
      "  - {principals: [lister], verbs: [list]}\n"
      "  - {principals: [reader], verbs: [read]}\n"
      "  - {principals: [both], verbs: [list, read], prefix: incidents/}\n"
      "  - {principals: [all], verbs: [read, write, delete, list, admin]}\n");
  ApiHarness::Options options;
  options.access.mode = tenancy::AuthMode::kTokens;
  options.access.file = file.path();
  ApiHarness api(options);
  const auto status = [&](std::string_view method, const std::string& target, const std::string& name,
                          const std::string& body = "") {
    return api.Send(method, target, {{"Authorization", fmt::format("Bearer canary-{}", name)}}, body).status;
  };
  ASSERT_EQ(status("PUT", kCollection, "all", kIndexes), 201);
  ASSERT_EQ(status("PUT", kDocument, "all", R"({"severity":"P0"})"), 201);
  const std::string filter = "?filter=severity=%22P0%22";
  struct Row {
    std::string target;
    int lister, reader, both;
  };
  for (const Row& row :
       {Row{fmt::format("{}/count", kCollection), 200, 403, 200},
        Row{fmt::format("{}/count{}", kCollection, filter), 403, 403, 200},
        Row{fmt::format("{}/documents", kCollection), 403, 403, 200},
        Row{fmt::format("{}/documents{}", kCollection, filter), 403, 403, 200}, Row{kDocument, 403, 200, 200},
        Row{kCollection, 200, 403, 200}, Row{"/v1/stores/main/collections", 200, 403, 403},
        Row{"/v1/stores/main/collections/other/count", 404, 403, 403}}) {
    EXPECT_EQ(status("GET", row.target, "lister"), row.lister) << row.target;
    EXPECT_EQ(status("GET", row.target, "reader"), row.reader) << row.target;
    EXPECT_EQ(status("GET", row.target, "both"), row.both) << row.target;
  }
  for (const char* name : {"lister", "reader", "both"}) {
    EXPECT_EQ(status("PUT", kDocument, name, "{}"), 403) << name;
    EXPECT_EQ(status("DELETE", kDocument, name), 403) << name;
    EXPECT_EQ(status("PUT", kCollection, name, kIndexes), 403) << name;
    EXPECT_EQ(status("DELETE", kCollection, name), 403) << name;
  }
}

}  // namespace
}  // namespace holdfast::api
