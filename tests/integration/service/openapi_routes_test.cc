// Every operation of the OpenAPI document, driven over the wire to the answers that it is documented with.
//
// Left out are those that no request brings about by itself: a failure (500), an overloaded or stopping store (503), a
// transaction that collides (409), and what is refused before the path is looked at (408, 414, 431; bad_input_test.cc).
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "tests/integration/http_framing/raw_client.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using Operation = OpenApiCheck::Operation;

const std::string kStore = "/v1/stores/main";
const std::string kKeys = kStore + "/keys";
const std::string kLock = kStore + "/locks/l";
const std::string kElection = kStore + "/elections/e";
const std::string kCheckpoints = kStore + "/checkpoints";
const std::string kBackups = kStore + "/backups";
const std::string kCollection = kStore + "/collections/c";
const std::string kDocument = kCollection + "/documents/1";
const std::string kEnd = kStore + "/transactions/0?action=rollback";
const http::Headers kXml{{"Content-Type", "text/xml"}};
const http::Headers kBriefly{{"Holdfast-Timeout", "50ms"}};  // ends a stream

class OpenApiRoutesTest : public ServiceTest {
 protected:
  // A request that succeeds when everything is allowed and there is room.
  struct Example {
    std::string method, target;
    http::Headers headers;
    std::string body;
  };

  // `more` are further backends.
  void Serve(const std::string& settings, const std::string& more = "") {
    service_ = std::make_unique<Service>(folder_, GetParam() + more, settings);
  }
  http::ClientResponse Send(const std::string& method, const std::string& target, int expected,
                            const http::Headers& headers = {}, const std::string& body = "") {
    auto answer = service_->Send(method, target, headers, body);
    EXPECT_EQ(answer.status, expected) << method << " " << target << ": " << answer.body;
    if (const auto operation = service_->openapi().Find(method, target)) seen_[*operation].insert(answer.status);
    return answer;
  }
  std::string Acquire(const std::string& path) {
    return nlohmann::json::parse(Send("POST", path, 201, {}, R"({"owner":"me"})").body).at("lease");
  }
  void DriveKeys();
  void DriveTransactions();
  void DriveRepeats();
  void DriveLeases(const std::string& path);
  void DriveStreams();
  void DriveDocuments();
  void DriveCheckpoints();
  // Waits until it is there.
  void MakeBackup(const std::string& query, const std::string& body);
  void DriveBackups();
  void DriveTheRest();
  static std::vector<Example> Examples();
  void ExpectAllSeen(const std::function<bool(const Operation&, int status)>& wanted) const;

  std::unique_ptr<Service> service_;
  std::map<Operation, std::set<int>> seen_;
};
HOLDFAST_ON_BOTH_BACKENDS(OpenApiRoutesTest);

void OpenApiRoutesTest::DriveKeys() {
  const std::string key = kKeys + "/a";
  Send("PUT", key, 201, {}, "text");
  Send("PUT", key, 204, {{"Holdfast-TTL", "1h"}, {"Holdfast-Tags", "x"}, {"Holdfast-Metadata", R"({"a":1})"}}, "text");
  Send("PUT", key, 412, {{"If-None-Match", "*"}}, "x");
  for (const char* method : {"GET", "HEAD"}) {
    Send(method, key, 200);
    Send(method, key, 304, {{"If-None-Match", "*"}});
    Send(method, key, 412, {{"If-Match", "\"1\""}});
    Send(method, kKeys + "/absent", 404);
  }
  Send("GET", key, 206, {{"Range", "bytes=1-2"}});
  Send("GET", key, 416, {{"Range", "bytes=9-"}});
  Send("POST", key + "?action=touch", 204, {{"Holdfast-TTL", "1h"}});
  Send("POST", key + "?action=increment", 409);
  Send("POST", key + "?action=increment", 412, {{"If-Match", "\"1\""}});
  Send("POST", key + "?action=increment", 415, kXml, "{}");
  Send("POST", kKeys + "/n?action=increment", 200, {}, R"({"by":5})");
  Send("POST", kKeys + "/n?action=take", 200);
  Send("POST", kKeys + "/n?action=take", 404);
  for (const char* accept : {"application/json", "application/cbor", "application/msgpack", "application/x-ndjson"}) {
    Send("GET", kKeys + "?values=true", 200, {{"Accept", accept}});
  }
  Send("GET", kStore + "/count", 200);
  Send("GET", kStore + "/hot-keys", 200);
  Send("GET", kStore + "/conflicts", 501);
  Send("GET", "/v1/stores/moving/migration", 200);
  Send("POST", "/v1/stores/moving/migration?action=cut_over", 409);
  Send("POST", "/v1/stores/moving/migration?action=start", 200);
  const std::string batch =
      R"({"operations":[{"op":"get","key":"a"},{"op":"get","key":"b"},{"op":"increment","key":"c"}]})";
  Send("POST", kStore + "/batch", 200, {}, batch);
  Send("POST", kStore + "/batch", 415, kXml, batch);
  const std::string transaction = R"({"if":[{"key":"a","exists":true}],"then":[{"op":"put","key":"b","value":"1"}]})";
  Send("POST", kStore + "/transaction", 200, {}, transaction);
  Send("POST", kStore + "/transaction", 415, kXml, transaction);
  Acquire(kStore + "/locks/fence");
  Send("POST", kStore + "/transaction", 412, {{"Holdfast-Fence", "fence=1"}}, transaction);
  Send("DELETE", key, 412, {{"If-Match", "\"1\""}});
  Send("DELETE", key, 204);
  Send("DELETE", kKeys + "?prefix=b", 200);
}

void OpenApiRoutesTest::DriveTransactions() {
  const std::string begin = kStore + "/transactions";
  const auto act = [&](const std::string& id, const std::string& action, int expected) {
    Send("POST", begin + "/" + id + "?action=" + action, expected);
  };
  Send("POST", begin, 415, kXml, "{}");
  const std::string id = nlohmann::json::parse(Send("POST", begin, 201).body).at("id");
  act(id, "rollback_to", 409);
  act(id, "savepoint", 204);
  act(id, "commit", 200);
  // The lock changes hands between the write and the commit.
  const std::string lock = kStore + "/locks/inside";
  const auto grant = nlohmann::json::parse(Send("POST", lock, 201, {}, R"({"owner":"me"})").body);
  const std::string fenced = nlohmann::json::parse(Send("POST", begin, 201).body).at("id");
  Send("PUT", kKeys + "/inside", 201,
       {{"Holdfast-Transaction", fenced}, {"Holdfast-Fence", fmt::format("inside={}", grant.at("token").dump())}}, "1");
  Send("DELETE", lock + "?lease=" + grant.at("lease").get<std::string>(), 204);
  Acquire(lock);
  act(fenced, "commit", 412);
}

// An Idempotency-Key that comes again with something else in it.
void OpenApiRoutesTest::DriveRepeats() {
  const std::string id = nlohmann::json::parse(Send("POST", kStore + "/transactions", 201).body).at("id");
  for (Example example : Examples()) {
    if (example.method != "POST") continue;
    if (example.target == kStore + "?action=flush" && GetParam() == "memory") continue;
    if (example.target == kEnd) example.target = kStore + "/transactions/" + id + "?action=savepoint";
    if (example.target == kStore + "/migration?action=start") {
      example.target = "/v1/stores/moving/migration?action=abort";  // which has been started
    }
    const http::Headers with_key{{"Idempotency-Key", "once"}};
    const auto first = service_->Send("POST", example.target, with_key, example.body);
    EXPECT_LT(first.status, 300) << example.target << ": " << first.body;
    EXPECT_EQ(Send("POST", example.target, first.status, with_key, example.body).headers.count("Holdfast-Replayed"), 1u)
        << example.target;
    Send("POST", example.target, 422, {{"Idempotency-Key", "once"}, {"Content-Type", "application/json"}},
         example.body);
  }
}

void OpenApiRoutesTest::DriveLeases(const std::string& path) {
  const std::string lease = Acquire(path);
  const std::string extension = fmt::format(R"({{"lease":"{}"}})", lease);
  Send("POST", path, 409, {}, R"({"owner":"you"})");
  Send("POST", path, 415, kXml, "{}");
  Send("PUT", path, 200, {}, extension);
  Send("PUT", path, 409, {}, R"({"lease":"other"})");
  Send("PUT", path, 415, kXml, "{}");
  Send("GET", path, 200, kBriefly);
  Send("DELETE", path + "?lease=other", 409);
  Send("DELETE", path + "?lease=" + lease, 204);
}

void OpenApiRoutesTest::DriveStreams() {
  Send("POST", kStore + "/channels/c", 202, {}, "hello");
  Send("GET", kStore + "/channels/c", 200, kBriefly);
  Send("GET", kStore + "/watch", 200, kBriefly);
  Send("GET", kStore + "/watch?wait=0", 200);
}

void OpenApiRoutesTest::DriveDocuments() {
  const std::string definition = R"({"indexes":["state"]})";
  Send("PUT", kCollection, 201, {}, definition);
  Send("PUT", kCollection, 200, {}, definition);
  Send("PUT", kCollection, 415, kXml, definition);
  Acquire(kStore + "/locks/c");
  const http::Headers outdated{{"Holdfast-Fence", "c=1"}};
  Send("PUT", kCollection, 412, outdated, definition);
  Send("DELETE", kCollection, 412, outdated);
  Send("GET", kCollection, 200);
  Send("GET", kStore + "/collections", 200);
  Send("PUT", kDocument, 201, {}, R"({"state":"Active"})");
  Send("PUT", kDocument, 204, {}, R"({"state":"Done"})");
  Send("PUT", kDocument, 412, {{"If-None-Match", "*"}}, "{}");
  Send("PUT", kDocument, 415, kXml, "{}");
  Send("GET", kDocument, 200);
  Send("GET", kDocument, 304, {{"If-None-Match", "*"}});
  Send("GET", kDocument, 412, {{"If-Match", "\"1\""}});
  Send("GET", kDocument + "0", 404);
  Send("GET", kCollection + "/documents?order=state", 200);
  Send("GET", kCollection + "/count", 200);
  Send("DELETE", kDocument, 412, {{"If-Match", "\"1\""}});
  Send("DELETE", kDocument, 204);
  Send("DELETE", kCollection, 204);
}

void OpenApiRoutesTest::DriveCheckpoints() {
  Send("POST", kCheckpoints, 201, {}, R"({"id":"one"})");
  Send("POST", kCheckpoints, 412, {}, R"({"id":"one"})");
  Send("POST", kCheckpoints, 415, kXml, "{}");
  Send("GET", kCheckpoints, 200);
  Send("PUT", kStore + "/snapshot", 200, {}, Send("GET", kStore + "/snapshot", 200).body);
  Send("PUT", kStore + "/snapshot", 422, {}, "no checkpoint");
  Send("GET", kCheckpoints + "/one", 200);
  Send("GET", kCheckpoints + "/two", 404);
  Send("POST", kCheckpoints + "/one?action=validate", 200);
  Send("POST", kCheckpoints + "/one?action=restore", 200);
  Send("POST", kCheckpoints + "/two?action=restore", 404);
  const auto folder = folder_.path() / "data" / "checkpoints" / "main";
  std::ofstream(folder / "restoring") << "one two\n";
  Send("DELETE", kCheckpoints + "/one", 409);
  std::filesystem::remove(folder / "restoring");
  std::ofstream(folder / "one.checkpoint") << "no checkpoint";
  Send("POST", kCheckpoints + "/one?action=restore", 422);
  Send("DELETE", kCheckpoints + "/one", 204);
  Send("DELETE", kCheckpoints + "/one", 404);
  Send("POST", kCheckpoints, 201, {}, R"({"id":"one"})");
}

void OpenApiRoutesTest::DriveBackups() {
  Send("GET", kBackups, 200);
  Send("POST", kBackups, 415, kXml, "{}");
  for (const auto& [query, id] : {std::pair{"", std::string("one")}, {"?kind=incremental", "increment"}}) {
    const std::string accepted = Send("POST", kBackups + query, 202, {}, R"({"id":")" + id + "\"}").body;
    const std::string run = kStore + "/backup-runs/" + nlohmann::json::parse(accepted).at("run").get<std::string>();
    ASSERT_TRUE(Eventually([&] { return service_->Json("GET", run).at("state") == "succeeded"; }));
    Send("GET", run, 200);
    Send("GET", kBackups + "/" + id, 200);
  }
  Send("GET", kBackups + "/two", 404);
  Send("GET", kStore + "/backup-runs/none", 404);
  Send("POST", kBackups + "/two?action=restore", 404);
  Send("DELETE", kBackups + "/one", 409);  // the increment builds on it
  std::filesystem::copy(folder_.path() / "data/backups/main/one", folder_.path() / "data/backups/main/two");
  Send("DELETE", kBackups + "/two", 204);
  Send("DELETE", kBackups + "/two", 404);
  Send("POST", kBackups + "/one?action=verify", 202);
  Send("POST", kBackups + "/one?action=drill", 202);
}

void OpenApiRoutesTest::DriveTheRest() {
  Send("GET", "/v1/stores", 200);
  Send("GET", kStore, 200);
  for (const char* action : {"flush", "compact"}) {
    Send("POST", kStore + "?action=" + action, GetParam() == "rocksdb" ? 200 : 501);
  }
  for (const char* needless : {"vacuum", "cleanup", "warm"}) Send("POST", kStore + "?action=" + needless, 501);
  Send("POST", kStore + "?action=polish", 400);
  Send("PUT", "/v1/namespaces/n", 201, {}, R"({"keys":5})");
  Send("PUT", "/v1/namespaces/n", 200, {}, R"({"keys":6})");
  Send("PUT", "/v1/namespaces/n", 415, kXml, "{}");
  Send("GET", "/v1/namespaces/n", 200);
  Send("DELETE", "/v1/namespaces/n", 204);
  Send("GET", "/v1/audit", 200);
  Send("GET", "/v1/openapi.json", 200);
}

std::vector<OpenApiRoutesTest::Example> OpenApiRoutesTest::Examples() {
  const std::string owner = R"({"owner":"me"})";
  const std::string lease = R"({"lease":"x"})";
  const std::string transaction = R"({"then":[{"op":"put","key":"t","value":"1"}]})";
  return {
      {"GET", kKeys + "/a", {}, ""},
      {"HEAD", kKeys + "/a", {}, ""},
      {"PUT", kKeys + "/a", {}, "1"},
      {"POST", kKeys + "/a?action=increment", {}, ""},
      {"DELETE", kKeys + "/a", {}, ""},
      {"GET", kKeys, {}, ""},
      {"DELETE", kKeys + "?prefix=a", {}, ""},
      {"POST", kStore + "/batch", {}, R"({"operations":[{"op":"get","key":"a"}]})"},
      {"GET", kStore + "/count", {}, ""},
      {"POST", kStore + "/transaction", {}, transaction},
      {"POST", kStore + "/transactions", {}, ""},
      {"POST", kEnd, {}, ""},
      {"GET", kStore + "/hot-keys", {}, ""},
      {"GET", kStore + "/conflicts", {}, ""},
      {"GET", kStore + "/migration", {}, ""},
      {"POST", kStore + "/migration?action=start", {}, ""},
      {"GET", kCheckpoints, {}, ""},
      {"POST", kCheckpoints, {}, ""},
      {"GET", kCheckpoints + "/one", {}, ""},
      {"DELETE", kCheckpoints + "/one", {}, ""},
      {"POST", kCheckpoints + "/one?action=validate", {}, ""},
      {"GET", kBackups, {}, ""},
      {"POST", kBackups, {}, ""},
      {"GET", kBackups + "/one", {}, ""},
      {"DELETE", kBackups + "/one", {}, ""},
      {"POST", kBackups + "/one?action=verify", {}, ""},
      {"GET", kStore + "/backup-runs/one", {}, ""},
      {"GET", kStore + "/snapshot", {}, ""},
      {"PUT", kStore + "/snapshot", {}, "some"},
      {"POST", kLock, {}, owner},
      {"PUT", kLock, {}, lease},
      {"GET", kLock, {}, ""},
      {"DELETE", kLock + "?lease=x", {}, ""},
      {"POST", kElection, {}, owner},
      {"PUT", kElection, {}, lease},
      {"GET", kElection, {}, ""},
      {"DELETE", kElection + "?lease=x", {}, ""},
      {"POST", kStore + "/channels/c", {}, "1"},
      {"GET", kStore + "/channels/c", {}, ""},
      {"GET", kStore + "/watch", {}, ""},
      {"GET", kDocument, {}, ""},
      {"PUT", kDocument, {}, "{}"},
      {"DELETE", kDocument, {}, ""},
      {"GET", kCollection + "/documents", {}, ""},
      {"GET", kCollection + "/count", {}, ""},
      {"PUT", kCollection, {}, R"({"indexes":[]})"},
      {"GET", kCollection, {}, ""},
      {"DELETE", kCollection, {}, ""},
      {"GET", kStore + "/collections", {}, ""},
      {"GET", kStore, {}, ""},
      {"POST", kStore + "?action=flush", {}, ""},
      {"GET", "/v1/stores", {}, ""},
      {"GET", "/v1/namespaces/n", {}, ""},
      {"PUT", "/v1/namespaces/n", {}, "{}"},
      {"DELETE", "/v1/namespaces/n", {}, ""},
      {"GET", "/v1/audit", {}, ""},
      {"GET", "/v1/openapi.json", {}, ""},
  };
}

void OpenApiRoutesTest::ExpectAllSeen(const std::function<bool(const Operation&, int status)>& wanted) const {
  for (const Operation& operation : service_->openapi().operations()) {
    const auto seen = seen_.find(operation);
    for (const int status : service_->openapi().StatusesOf(operation)) {
      if (!wanted(operation, status)) continue;
      EXPECT_TRUE(seen != seen_.end() && seen->second.count(status) > 0)
          << operation.first << " " << operation.second << " was never answered with " << status;
    }
  }
}

// What a handler itself answers: all that succeeds, and every refusal of its own.
TEST_P(OpenApiRoutesTest, AnswerEverythingTheyAreDocumentedWith) {
  Serve(
      "audit: {on: true}\ndefault_store: main\nbackups: {directory: backups}\n"
      "stores: {main: {backend: local}, aside: {backend: local, failover: second}, "
      "moving: {backend: left, migrate_to: right}}\n",
      "}, second: {type: memory}, left: {type: memory}, right: {type: memory");
  Send("GET", "/v1/stores/aside/conflicts", 200);
  DriveKeys();
  DriveTransactions();
  DriveLeases(kLock);
  DriveLeases(kElection);
  Send("GET", kStore + "/locks/free", 404);
  DriveStreams();
  DriveDocuments();
  DriveCheckpoints();
  DriveBackups();
  DriveTheRest();
  DriveRepeats();
  ExpectAllSeen([this](const Operation& operation, int status) {
    const auto& [method, path] = operation;
    // Only two writers at once bring these about.
    if (status == 409 && (path.ends_with("/transaction") || path.find("/collections/") != std::string::npos))
      return false;
    // Likewise that the first request with an Idempotency-Key is still running.
    const bool refuses_by_itself = path.ends_with("}") && path != "/v1/stores/{store}" &&
                                   !path.ends_with("/channels/{name}") && !path.ends_with("/checkpoints/{id}") &&
                                   !path.ends_with("/backups/{id}");
    if (status == 409 && method == "POST" && !refuses_by_itself) return false;
    // A memory store keeps no files.
    if (method == "POST" && path == "/v1/stores/{store}" && GetParam() == "memory") return false;
    return status < 400 || status == 409 || status == 412 || status == 415 || status == 416 || status == 422;
  });
}

// What holds for all of them.
TEST_P(OpenApiRoutesTest, RefuseAsTheyAreDocumentedTo) {
  Serve("audit: {on: true}\nlimits: {snapshot: 1Mi}\n");
  std::set<Operation> examples;
  for (const Example& example : Examples()) {
    const auto& [method, target, headers, body] = example;
    const auto operation = service_->openapi().Find(method, target);
    ASSERT_TRUE(operation) << method << " " << target;
    examples.insert(*operation);
    Send(method, target + (target.find('?') == std::string::npos ? "?" : "&") + "surprise=1", 400, headers, body);
    if (target.starts_with(kStore)) {
      Send(method, "/v1/stores/nowhere" + target.substr(kStore.size()), 404, headers, body);
    }
    // Before any of the body is read.
    api::testing::RawClient client(service_->port());
    client.Send(fmt::format("{} {} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n", method, target));
    const auto refused = client.ReadResponse(method == "HEAD");
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 413) << method << " " << target;
  }
  const auto all = service_->openapi().operations();
  EXPECT_EQ(examples, std::set<Operation>(all.begin(), all.end())) << "an operation has no example";
  ExpectAllSeen([](const Operation& operation, int status) {
    return status == 400 || (status == 404 && operation.second.find("{store}") != std::string::npos);
  });
}

TEST_P(OpenApiRoutesTest, KeepCallersOutAsTheyAreDocumentedTo) {
  const std::string tokens = folder_.Write("tokens.yaml", "tokens: [{name: nobody, token: known}]\nrules: []\n");
  Serve(fmt::format("auth: {{mode: tokens, tokens_file: {}}}\naudit: {{on: true}}\n", tokens));
  const http::Headers known{{"Authorization", "Bearer known"}};
  EXPECT_EQ(service_->Send("GET", "/v1/openapi.json", known).status, 200) << "the document itself is for everybody";
  for (const Example& example : Examples()) {
    Send(example.method, example.target, 401, {}, example.body);
    if (example.target == "/v1/openapi.json" || example.target == "/v1/stores") continue;
    Send(example.method, example.target, 403, known, example.body);
  }
  ExpectAllSeen([](const Operation& operation, int status) {
    const bool everybody = operation.second == "/v1/openapi.json" || operation.second == "/v1/stores";
    return status == 401 || (status == 403 && !everybody);
  });
}

// The quota and the rate of a namespace.
TEST_P(OpenApiRoutesTest, HoldQuotasAsTheyAreDocumentedTo) {
  Serve("audit: {on: true}\n");
  Send("PUT", kCollection, 201, {{"Holdfast-Namespace", "full"}}, R"({"indexes":[]})");
  Send("PUT", "/v1/namespaces/full", 201, {}, R"({"bytes":0})");
  for (const Example& example : Examples()) {
    const auto operation = service_->openapi().Find(example.method, example.target);
    // A quota itself is not counted, and the files belong to all namespaces, as checkpoints do.
    const bool is_free = example.target.starts_with("/v1/namespaces/") || example.target.starts_with(kStore + "?") ||
                         example.target.starts_with(kCheckpoints + "/") || example.target == kStore + "/snapshot";
    if (is_free || service_->openapi().StatusesOf(*operation).count(507) == 0) continue;
    const std::string target = example.target + (example.target == kCollection ? "2" : "");
    http::Headers headers{{"Holdfast-Namespace", "full"}};
    // Where nothing else takes up room, its answer does.
    if (example.method == "POST") headers.emplace("Idempotency-Key", "once");
    Send(example.method, target, 507, headers, example.body);
  }
  Send("PUT", "/v1/namespaces/busy", 201, {}, R"({"requests_per_second":1})");
  for (const Example& example : Examples()) {
    if (!example.target.starts_with(kStore)) continue;
    // One a second passes.
    http::ClientResponse answer;
    for (int i = 0; i < 6 && answer.status != 429; ++i) {
      answer = service_->Send(example.method, example.target,
                              {{"Holdfast-Namespace", "busy"}, {"Holdfast-Timeout", "50ms"}}, example.body);
    }
    EXPECT_EQ(answer.status, 429) << example.method << " " << example.target << answer.body;
  }
}

}  // namespace
}  // namespace holdfast
