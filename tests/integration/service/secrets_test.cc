// Secrets that clients and operators entrust to the service are in nothing that it writes or says on its own.
#include <fmt/format.h>
#include <signal.h>

#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "base/http/http_listener.h"
#include "service/backends/rocksdb/rocksdb_backend.h"
#include "service/storage/backend.h"
#include "tests/integration/service/canaries.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using testing::HasSubstr;

const std::string kBase = "/v1/stores/main/";

// Keeps everything a service tells it.
class Collector {
 public:
  Collector() {
    auto listener = http::HttpListener::Start({}, [this](const auto& request, auto& response) {
      {
        const std::lock_guard lock(mutex_);
        text_ += request.target + '\n';
        for (const auto& [name, value] : request.headers) text_ += name + ": " + value + '\n';
        text_ += request.body + '\n';
      }
      response.Send(200, {}, "{}");
    });
    listener_ = std::move(listener).value();
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", listener_->port()); }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;  // guarded by mutex_
  std::unique_ptr<http::HttpListener> listener_;
};

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The secret that cursors are signed with, once nobody has the files open.
std::string CursorSecretIn(const std::filesystem::path& path) {
  storage::RocksDbOptions options;
  options.path = path.string();
  const auto backend = storage::OpenRocksDbBackend(options);
  if (!backend.ok()) return {};
  storage::ScanRequest request;
  request.limit = 10'000;
  const auto page = (*backend)->Scan(request, Deadline::Infinite());
  if (!page.ok()) return {};
  for (const auto& item : page->entries) {
    if (item.key.ends_with("cursor-secret")) return item.entry->value;
  }
  return {};
}

class SecretsTest : public ServiceTest {
 protected:
  void StartService() {
    token_ = canaries_.Make("a bearer token");
    expired_ = canaries_.Make("an expired bearer token");
    keeper_ = canaries_.Make("the token of who makes backups");
    access_key_ = canaries_.Make("the access key of S3");
    secret_key_ = canaries_.Make("the secret key of S3");
    const std::string access_key = folder_.Write("access-key", access_key_ + '\n');
    const std::string secret_key = folder_.Write("secret-key", secret_key_ + '\n');
    const std::string tokens =
        folder_.Write("tokens.yaml", fmt::format("tokens:\n  - {{name: ci, token: {}}}\n"
                                                 "  - {{name: old, token: {}, expires_at: 2020-01-01T00:00:00Z}}\n"
                                                 "  - {{name: keeper, token: {}}}\n"
                                                 "rules:\n  - {{principals: [ci], verbs: [read, write, delete, list, "
                                                 "lock, publish, watch, admin]}}\n"
                                                 "  - {{principals: [keeper], namespaces: ['*'], verbs: [admin]}}\n",
                                                 token_, expired_, keeper_));
    service_ = std::make_unique<Service>(
        folder_, GetParam(),
        fmt::format(
            "log: {{level: debug, access: all}}\naudit: {{on: true, file: {}}}\n"
            "tracing: {{endpoint: \"{}\"}}\nauth: {{mode: tokens, tokens_file: {}}}\n"
            "backups: {{s3: {{endpoint: \"{}\", bucket: backups, access_key_file: {}, secret_key_file: {}}}}}\n",
            audit_file(), collector_.url(), tokens, s3_.url(), access_key, secret_key));
  }
  // What comes of a backup on what is no S3 server.
  void FailABackup() {
    const http::Headers keeper{{"Authorization", "Bearer " + keeper_}};
    const auto accepted = Send("POST", kBase + "backups", keeper);
    ASSERT_EQ(accepted.status, 202) << accepted.body;
    const std::string run = nlohmann::json::parse(accepted.body).at("run");
    std::string last;
    ASSERT_TRUE(Eventually([&] {
      last = Send("GET", kBase + "backup-runs/" + run, keeper).body;
      return nlohmann::json::parse(last).at("state") == "failed";
    }));
    said_ += last + '\n';
  }
  std::string audit_file() const { return (folder_.path() / "audit.log").string(); }

  // As the holder of the token. What is refused is kept as something the service has said.
  http::ClientResponse Send(const std::string& method, const std::string& target, http::Headers headers = {},
                            const std::string& body = "") {
    if (headers.count("Authorization") == 0) headers.emplace("Authorization", "Bearer " + token_);
    auto answer = service_->Send(method, target, headers, body);
    if (answer.status >= 400) {
      ++refused_;
      said_ += answer.body + '\n';
      for (const auto& [name, value] : answer.headers) said_ += name + ": " + value + '\n';
    }
    return answer;
  }

  const Collector collector_;
  const Collector s3_;
  Canaries canaries_;
  std::string token_;
  std::string expired_;
  std::string keeper_;
  std::string access_key_;
  std::string secret_key_;
  std::unique_ptr<Service> service_;
  std::string said_;
  int refused_ = 0;
};
HOLDFAST_ON_BOTH_BACKENDS(SecretsTest);

TEST_P(SecretsTest, AreInNoLogNoMetricNoSpanAndNoError) {
  StartService();
  const auto value = [this](const std::string& where) { return canaries_.Make("a value in " + where); };
  const auto json = [](const std::string& secret) { return fmt::format(R"({{"a":"{}"}})", secret); };

  // Tokens, in every state.
  Send("GET", kBase + "keys/a", {{"Authorization", "Bearer " + expired_}});
  for (const char* scheme : {"Bearer ", "bearer  ", "Basic ", ""}) {
    Send("GET", kBase + "keys/a", {{"Authorization", scheme + canaries_.Make("what is no bearer token")}});
  }
  Send("GET", kBase + "keys/a", {{"Cookie", "session=" + canaries_.Make("a cookie")}});

  // Values that are stored, replaced, looked at and taken, and those that are refused.
  EXPECT_EQ(Send("PUT", kBase + "keys/a", {}, value("a key")).status, 201);
  EXPECT_EQ(Send("PUT", kBase + "keys/a", {{"If-Match", "\"1\""}}, value("a key")).status, 412);
  EXPECT_EQ(Send("POST", kBase + "keys/a?action=increment").status, 409);
  EXPECT_EQ(Send("PUT", kBase + "keys/a", {{"Holdfast-Timeout", "0.000001"}}, value("a late write")).status, 504);
  EXPECT_EQ(Send("PUT", kBase + "keys/" + std::string(513, 'k'), {}, value("a refused write")).status, 400);
  EXPECT_EQ(Send("PUT", "/v1/stores/nowhere/keys/a", {}, value("a store that is not there")).status, 404);
  EXPECT_EQ(Send("POST", kBase + "keys/a?action=increment", {}, value("an increment")).status, 400);
  EXPECT_EQ(Send("POST", kBase + "keys/a?action=increment", {}, json(value("an increment"))).status, 400);
  EXPECT_EQ(Send("GET", kBase + "keys?values=true").status, 200);
  EXPECT_EQ(Send("POST", kBase + "keys/a?action=take").status, 200);

  // Bodies that are read, whole and broken at the secret.
  for (const char* target : {"batch", "transaction", "locks/l", "elections/e"}) {
    EXPECT_EQ(Send("POST", kBase + target, {}, json(value(target))).status, 400);
    EXPECT_EQ(Send("POST", kBase + target, {}, R"({"a":")" + value(target)).status, 400);
    EXPECT_EQ(Send("POST", kBase + target, {}, value(target)).status, 400);
    EXPECT_EQ(Send("POST", kBase + target, {{"Content-Type", "application/cbor"}}, value(target)).status, 400);
  }
  for (const char* member : {"key", "encoding", "ttl", "metadata", "tags", "if_match"}) {
    const std::string operation =
        member == std::string("key")
            ? fmt::format(R"({{"op":"put","key":7,"value":"{}"}})", value("a bad batch"))
            : fmt::format(R"({{"op":"put","key":"b","value":"{}","{}":7}})", value("a bad batch"), member);
    EXPECT_EQ(Send("POST", kBase + "batch", {}, fmt::format(R"({{"operations":[{}]}})", operation)).status, 400);
  }
  EXPECT_EQ(Send("POST", kBase + "batch", {},
                 fmt::format(R"({{"operations":[{{"op":"put","key":"b","value":"{}"}}]}})", value("a batch")))
                .status,
            200);
  EXPECT_EQ(Send("POST", kBase + "transaction", {},
                 fmt::format(R"({{"if":[{{"key":"b","value":"{}"}}],"then":[{{"op":"put","key":"b","value":"{}"}}]}})",
                             value("a condition"), value("a transaction")))
                .status,
            200);
  EXPECT_EQ(Send("PUT", kBase + "collections/c", {}, R"({"indexes":["a"]})").status, 201);
  EXPECT_EQ(Send("PUT", kBase + "collections/c/documents/1", {}, json(value("a document"))).status, 201);
  EXPECT_EQ(Send("PUT", kBase + "collections/c/documents/2", {}, R"({"a":")" + value("a broken document")).status, 400);
  EXPECT_EQ(Send("POST", kBase + "channels/c", {}, value("a message")).status, 202);

  // Metadata, tags and content types.
  EXPECT_EQ(Send("PUT", kBase + "keys/m",
                 {{"Holdfast-Metadata", json(canaries_.Make("metadata"))},
                  {"Holdfast-Tags", canaries_.Make("a tag")},
                  {"Content-Type", "text/" + canaries_.Make("a content type")}},
                 "1")
                .status,
            201);
  const std::string broken = canaries_.Make("broken metadata");
  for (const std::string& text : {R"({"a":")" + broken, "[\"" + broken + "\"]", R"({"a":")" + broken + R"(","a":1})"}) {
    EXPECT_EQ(Send("PUT", kBase + "keys/m", {{"Holdfast-Metadata", text}}, "1").status, 400);
  }
  for (const char* header : {"Holdfast-TTL", "Holdfast-Timeout", "Holdfast-Namespace", "If-Match", "If-None-Match",
                             "Holdfast-Fence", "Holdfast-Unknown", "Accept"}) {
    Send("PUT", kBase + "keys/m", {{header, canaries_.Make(fmt::format("the header {}", header))}}, "1");
  }
  Send("POST", kBase + "channels/c", {{"Idempotency-Key", canaries_.Make("an idempotency key")}}, "1");
  Send("POST", kBase + "keys/n?action=increment", {{"Idempotency-Key", canaries_.Make("an idempotency key")}});
  Send("PUT", kBase + "keys/m", {{"Holdfast-Transaction", canaries_.Make("the id of a transaction")}}, "1");

  // Queries: what is read, what is refused, and what nobody knows.
  for (const char* query : {"keys?prefix=", "keys?start=", "keys?filter=", "keys?limit=", "keys?cursor=", "keys?order=",
                            "keys?values=", "keys?x=", "count?prefix=", "watch?wait=0&since=", "watch?wait=",
                            "collections/c/documents?filter=", "hot-keys?limit="}) {
    Send("GET", kBase + query + canaries_.Make(fmt::format("the query {}", query)));
  }
  Send("POST", kBase + "keys/m?action=" + canaries_.Make("an action"));

  for (const char* member : {"ttl", "wait"}) {
    const std::string body =
        fmt::format(R"({{"owner":"me","{}":"{}"}})", member, canaries_.Make(fmt::format("a bad {}", member)));
    EXPECT_EQ(Send("POST", kBase + "locks/m", {}, body).status, 400);
  }

  // A lease is what keeps a lock: it comes from the service, and is told to nobody else.
  const auto grant = Send("POST", kBase + "locks/l", {}, R"({"owner":"me"})");
  ASSERT_EQ(grant.status, 201);
  canaries_.Add("a lease", nlohmann::json::parse(grant.body).at("lease").get<std::string>());
  EXPECT_EQ(Send("POST", kBase + "locks/l", {}, R"({"owner":"you"})").status, 409);
  EXPECT_EQ(Send("DELETE", kBase + "locks/l?lease=" + canaries_.Make("another lease")).status, 409);
  EXPECT_EQ(Send("GET", "/v1/audit").status, 200);

  FailABackup();
  for (const char* path : {"/metrics", "/healthz", "/readyz"}) said_ += service_->Admin(path).body + '\n';
  for (const char* path : {"/v1/audit?limit=1000", "/v1/stores", "/v1/stores/main", "/v1/openapi.json"}) {
    const auto answer = Send("GET", path);
    EXPECT_EQ(answer.status, 200) << path << answer.body;
    said_ += answer.body + '\n';
  }
  // The control: the key of this request is no secret, and is in the log, the audit log and the spans.
  Canaries control;
  const std::string key = "zqControlKey17vx";
  control.Add("a key", key);
  EXPECT_EQ(Send("PUT", kBase + "keys/" + key, {}, "1").status, 201);
  service_->process().Signal(SIGTERM);
  EXPECT_EQ(service_->process().Wait(), 0);
  if (GetParam() == "rocksdb") {
    const std::string secret = CursorSecretIn(folder_.path() / "data" / "local");
    ASSERT_EQ(secret.size(), 32u);
    canaries_.Add("the secret of cursors", secret);
  }

  const std::string log = service_->process().Errors() + service_->process().Output();
  const std::string audit = ReadFile(audit_file());
  const std::string spans = collector_.text();
  EXPECT_GE(refused_, 50);
  // The access key is told to the server, which knows it; the secret one never is, in whatever form.
  EXPECT_THAT(s3_.text(), HasSubstr("Credential=" + access_key_ + '/'));
  Canaries secret_key;
  secret_key.Add("the secret key of S3", secret_key_);
  EXPECT_THAT(secret_key.FoundIn(s3_.text()), testing::IsEmpty());
  for (const std::string& output : {log, audit, spans}) EXPECT_THAT(control.FoundIn(output), testing::SizeIs(1));
  EXPECT_THAT(canaries_.FoundIn(log), testing::IsEmpty());
  EXPECT_THAT(canaries_.FoundIn(audit), testing::IsEmpty());
  EXPECT_THAT(canaries_.FoundIn(spans), testing::IsEmpty());
  EXPECT_THAT(canaries_.FoundIn(said_), testing::IsEmpty());
}

// What the test above would prove nothing without.
TEST(CanariesTest, AreFoundInEveryFormAndNowhereElse) {
  Canaries canaries;
  const std::string first = canaries.Make("first");
  const std::string second = canaries.Make("second");
  const std::string binary("\x00\xff\x10\x83\xfb\xef\xbe\x00", 8);
  canaries.Add("binary", binary);
  EXPECT_THAT(canaries.FoundIn("nothing of the kind, only a canary"), testing::IsEmpty());
  EXPECT_EQ(FormsOf("abc")[4], "YWJj");
  for (const auto& [secret, name] :
       {std::pair(first, "first"), std::pair(second, "second"), std::pair(binary, "binary")}) {
    for (const std::string& form : FormsOf(secret)) {
      EXPECT_THAT(canaries.FoundIn("{\"x\":\"" + form + "\"}"), testing::ElementsAre(name)) << form;
      std::string upper = form;
      std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
      EXPECT_THAT(canaries.FoundIn(upper), testing::ElementsAre(name)) << upper;
    }
  }
  // As an encoder would write them in the middle of something.
  EXPECT_THAT(canaries.FoundIn("eHpxMDBjYW5hcnk5N3Z4eQ=="), testing::ElementsAre("first")) << "base64 of x...y";
}

}  // namespace
}  // namespace holdfast
