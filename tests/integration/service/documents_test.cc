// Collections of the running service across a kill: whatever the moment, index rows and documents agree afterwards.
#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <set>

#include "tests/integration/service/raw_socket.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

const std::string kCollection = "/v1/stores/main/collections/incidents";
constexpr int kDocuments = 600;  // more than two steps of a build
constexpr int kWriters = 4;

std::string DocumentOf(int id, int round) {
  return fmt::format(R"({{"severity":"P{}","state":"s{}","n":{}}})", (id + round) % 5, (id * 7 + round) % 3, round);
}

// False when the service has gone.
bool Put(const RawSocket& socket, int id, int round) {
  const std::string body = DocumentOf(id, round);
  socket.Send(fmt::format("PUT {}/documents/{} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", kCollection, id,
                          body.size(), body));
  const std::string answer = socket.ReadUntil("\r\n\r\n");
  return answer.starts_with("HTTP/1.1 201 ") || answer.starts_with("HTTP/1.1 204 ");
}

void Fill(const Service& service) {
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      const RawSocket socket(service.port());
      for (int id = writer; id < kDocuments; id += kWriters) EXPECT_TRUE(Put(socket, id, 0));
    });
  }
  for (std::thread& writer : writers) writer.join();
}

// The ids that the query finds, over all pages.
std::multiset<std::string> Find(Service& service, const std::string& query) {
  std::multiset<std::string> ids;
  std::string cursor;
  for (int page = 0; page < 1000; ++page) {
    const auto target = fmt::format("{}/documents?limit=250{}{}{}", kCollection, query.empty() ? "" : "&", query,
                                    cursor.empty() ? "" : "&cursor=" + cursor);
    const nlohmann::json answer = service.Json("GET", target);
    if (!answer.contains("items")) {
      ADD_FAILURE() << target << ": " << answer.dump();
      return ids;
    }
    for (const auto& item : answer.at("items")) ids.insert(item.at("id").get<std::string>());
    if (answer.at("complete") == true) return ids;
    cursor = answer.at("cursor");
  }
  ADD_FAILURE() << "the pages do not end";
  return ids;
}

void WaitUntilReady(Service& service, std::size_t indexes) {
  const Deadline deadline = Deadline::After(std::chrono::seconds{60});
  for (;;) {
    const nlohmann::json answer = service.Json("GET", kCollection);
    const auto& listed = answer.at("indexes");
    if (listed.size() == indexes &&
        std::all_of(listed.begin(), listed.end(), [](const auto& index) { return index.at("state") == "ready"; })) {
      return;
    }
    ASSERT_FALSE(deadline.Expired()) << answer.dump();
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
}

// Every query that an index answers, against the documents themselves.
void ExpectIndexesAgree(Service& service) {
  std::map<std::string, std::multiset<std::string>> by_severity;
  std::map<std::string, std::multiset<std::string>> by_state;
  std::multiset<std::string> all;
  const nlohmann::json page = service.Json("GET", kCollection + "/documents?limit=10000");
  ASSERT_EQ(page.value("complete", false), true) << page.dump();
  for (const auto& item : page.at("items")) {
    const std::string id = item.at("id");
    all.insert(id);
    by_severity[item.at("document").at("severity")].insert(id);
    by_state[item.at("document").at("state")].insert(id);
  }
  EXPECT_EQ(Find(service, "order=severity"), all);
  EXPECT_EQ(Find(service, "order=-state"), all);
  for (const auto& [severity, ids] : by_severity) {
    EXPECT_EQ(Find(service, fmt::format("filter=severity=%22{}%22", severity)), ids) << severity;
  }
  for (const auto& [state, ids] : by_state) {
    EXPECT_EQ(Find(service, fmt::format("filter=state=%22{}%22", state)), ids) << state;
    // From the rows alone: one too many or too few shows.
    const nlohmann::json count = service.Json("GET", fmt::format("{}/count?filter=state=%22{}%22", kCollection, state));
    EXPECT_EQ(count.at("count"), ids.size()) << state;
  }
}

class DocumentsTest : public ServiceTest {};
HOLDFAST_ON_BOTH_BACKENDS(DocumentsTest);

TEST_P(DocumentsTest, AnIndexIsBuiltWhileWritesGoOn) {
  Service service = Start();
  ASSERT_EQ(service.Send("PUT", kCollection, {}, R"({"indexes":["severity"]})").status, 201);
  Fill(service);
  std::atomic<bool> ready{false};
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      const RawSocket socket(service.port());
      for (int i = 0; i < 50 || !ready; ++i) EXPECT_TRUE(Put(socket, (i * 13 + writer) % kDocuments, i));
    });
  }
  EXPECT_EQ(service.Send("PUT", kCollection, {}, R"({"indexes":["severity","state"]})").status, 200);
  WaitUntilReady(service, 2);
  ready = true;
  for (std::thread& writer : writers) writer.join();
  ExpectIndexesAgree(service);
}

TEST(DocumentsTest, RocksdbAKillUnderWritesInTheMiddleOfABuildLosesNothing) {
  const TemporaryFolder folder;
  std::vector<std::map<int, int>> acknowledged(kWriters);  // by document the last round
  {
    Service service(folder, "rocksdb");
    ASSERT_EQ(service.Send("PUT", kCollection, {}, R"({"indexes":["severity"]})").status, 201);
    Fill(service);
    std::atomic<int> writes{0};
    std::vector<std::thread> writers;
    for (int writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back([&, writer] {
        const RawSocket socket(service.port());
        // Each its own documents, so that the last acknowledged write is known.
        for (int i = 0;; ++i) {
          const int id = (i * kWriters * 13 + writer) % kDocuments;
          if (!Put(socket, id, i + 1)) return;
          acknowledged[static_cast<std::size_t>(writer)][id] = i + 1;
          ++writes;
        }
      });
    }
    const Deadline deadline = Deadline::After(std::chrono::seconds{30});
    while (writes < 50 && !deadline.Expired()) std::this_thread::yield();
    EXPECT_EQ(service.Send("PUT", kCollection, {}, R"({"indexes":["severity","state"]})").status, 200);
    service.process().Signal(SIGKILL);
    EXPECT_EQ(service.process().Wait(), 128 + SIGKILL);
    for (std::thread& writer : writers) writer.join();
  }
  Service service(folder, "rocksdb");
  WaitUntilReady(service, 2);  // goes on by itself
  ExpectIndexesAgree(service);
  for (const auto& documents : acknowledged) {
    for (const auto& [id, round] : documents) {
      const nlohmann::json read = service.Json("GET", fmt::format("{}/documents/{}", kCollection, id));
      EXPECT_GE(read.value("n", -1), round) << id;  // one more may have been on its way
    }
  }
}

// Quotas hold behind a start as in front of it, and the usage is counted anew.
TEST(DocumentsTest, RocksdbUsageIsCountedAgainAfterAKill) {
  const TemporaryFolder folder;
  const std::string usage_path = "/v1/namespaces/default";
  nlohmann::json before;
  {
    Service service(folder, "rocksdb");
    ASSERT_EQ(service.Send("PUT", kCollection, {}, R"({"indexes":["severity","state"]})").status, 201);
    Fill(service);
    ASSERT_EQ(service.Send("PUT", usage_path, {}, fmt::format(R"({{"quota":{{"keys":{}}}}})", kDocuments)).status, 201);
    before = service.Json("GET", usage_path).at("usage");
    EXPECT_EQ(before.at("keys"), kDocuments);
    service.process().Signal(SIGKILL);
    EXPECT_EQ(service.process().Wait(), 128 + SIGKILL);
  }
  Service service(folder, "rocksdb");
  ASSERT_TRUE(
      Eventually([&] { return service.Admin("/metrics").body.find("holdfast_usage_counted 1") != std::string::npos; }));
  EXPECT_EQ(service.Json("GET", usage_path).at("usage"), before);
  EXPECT_EQ(service.Json("PUT", kCollection + "/documents/one-more", "{}").value("code", ""), "quota_exceeded");
  EXPECT_EQ(service.Send("PUT", kCollection + "/documents/1", {}, "{}").status, 204);
}

}  // namespace
}  // namespace holdfast
