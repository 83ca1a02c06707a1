// New passwords for the application and for the servers, with everything real: PostgreSQL under Patroni, PgBouncer, the
// operator, and the state service with clients that write through its Service all the while.
#include <set>

#include "operator/kube/base64.h"
#include "tests/integration/local/local_command_fixture.h"
#include "tests/integration/postgres/audited_load.h"
#include "tests/postgres/session.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using postgres_servers::Session;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Patroni takes its time, and the machine may be busy.
constexpr std::chrono::seconds kPatience{320};
constexpr char kCluster[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters/demo";
constexpr char kStep[] = "storage.holdfast.dev/rotation-step";
constexpr char kRotated[] = "storage.holdfast.dev/rotated";

class LocalRotationTest : public LocalCommandTest {
 protected:
  json Secret() const { return Kubernetes("/api/v1/namespaces/default/secrets/demo-local-credentials"); }
  std::string Password(const std::string& file) const {
    return kube::Base64Decode(Secret().at("data").at(file).get<std::string>()).value();
  }
  std::string Annotation(const std::string& name) const {
    const json secret = Secret();
    const json annotations = secret.at("metadata").value("annotations", json::object());
    return annotations.value(name, "");
  }
  json Pods(const std::string& selector) const {
    return Kubernetes("/api/v1/namespaces/default/pods?labelSelector=" + selector).value("items", json::array());
  }
  std::string Primary() const {
    json primary;
    if (!Eventually([&] { return (primary = Pods("role%3Dmaster")).size() == 1; }, kPatience)) return "";
    return primary.at(0).at("metadata").at("name");
  }
  // On the primary itself.
  Result<Session> Open(const std::string& user, const std::string& password, const std::string& database) const {
    const json pod = Kubernetes("/api/v1/namespaces/default/pods/" + Primary());
    const std::string host = pod.at("status").at("podIP");
    return Session::Open("host=" + host + " dbname=" + database + " sslmode=require user=" + user +
                         " password=" + password);
  }
  // "" when it is let in, else why not.
  std::string Login(const std::string& user, const std::string& password,
                    const std::string& database = "holdfast") const {
    const auto session = Open(user, password, database);
    return session.ok() ? "" : session.error().message();
  }
  // What the primary answers to a question of its superuser in use; "" when it does not.
  std::string AskPrimary(const std::string& sql) const {
    const bool second = Annotation("storage.holdfast.dev/superuser") == "postgres_b";
    auto session = second ? Open("postgres_b", Password("superuser-password-b"), "postgres")
                          : Open("postgres", Password("superuser-password"), "postgres");
    if (!session.ok()) return session.error().message();
    const auto answer = session->Value(sql);
    return answer.ok() ? *answer : answer.error().message();
  }
  // Who streams from the primary, and as whom.
  std::string Streams() const {
    return AskPrimary("SELECT string_agg(usename || ' ' || state || ' ' || sync_state, ', ') FROM pg_stat_replication");
  }
  void Annotate(const std::string& name, const std::string& value) const {
    Patch(kCluster, {{"metadata", {{"annotations", {{"storage.holdfast.dev/" + name, value}}}}}});
  }
  // Of the servers and the poolers: none of these is restarted.
  std::set<std::string> Containers() const {
    std::set<std::string> ids;
    for (const char* role : {"postgres", "pooler"}) {
      for (const json& pod : Pods("storage.holdfast.dev/role%3D" + std::string(role))) {
        const std::string id = pod.value("/status/containerStatuses/0/containerID"_json_pointer, "");
        if (!id.empty()) ids.insert(id);
      }
    }
    return ids;
  }
  std::vector<std::string> Audit(AuditedLoad& load) const {
    WriteHistory::Entries found;
    std::string cursor;
    for (bool complete = false; !complete;) {
      const auto answer =
          Ask(Event("running")["url"], "GET", "/v1/stores/main/keys?values=true&limit=10000&cursor=" + cursor);
      if (answer.status != 200) return {"what was written cannot be read back: " + answer.body};
      const json page = json::parse(answer.body);
      for (const json& item : page.at("items")) found[item.at("key")] = item.at("value");
      cursor = page.at("cursor");
      complete = page.at("complete");
    }
    return load.history().Complaints(found);
  }
  // Everything that people and programs are told, and all that was logged.
  std::string Told() const {
    std::string text = Kubernetes(kCluster).dump() + FileText(output());
    for (const char* collection : {"events", "pods", "configmaps"}) {
      text += Kubernetes("/api/v1/namespaces/default/" + std::string(collection)).dump();
    }
    text += Kubernetes("/apis/batch/v1/namespaces/default/jobs").dump();
    for (const auto& log : std::filesystem::directory_iterator(root() / "logs")) text += FileText(log.path());
    return text;
  }
};

TEST_F(LocalRotationTest, postgres_PasswordsAreRotatedUnderLoad) {
  http::HttpClient::SetThreads(16);
  Start(Manifest("postgres: {instances: 2, storage: {size: 1Gi}, synchronous: {standbys: 1}, pooler: {instances: 2}, "
                 "parameters: {shared_buffers: 32MB}}"),
        {"--ready-timeout", "300"});
  ASSERT_TRUE(Eventually([&] { return !Event("running").is_null() || program_->Poll(); }, kPatience));
  ASSERT_FALSE(Event("running").is_null()) << FileText(output());
  ASSERT_TRUE(Eventually([&] { return Containers().size() == 4; }, kPatience));
  const std::set<std::string> containers = Containers();

  // Slow is not refused.
  AuditedLoad load(Event("running")["url"].get<std::string>(), std::chrono::seconds(30));
  ASSERT_TRUE(load.AwaitAcknowledged(200));
  const std::string first = Password("application-password");
  const std::string other = Password("application-password-b");
  EXPECT_EQ(Login("holdfast", first), "");
  const std::string primary = Primary();
  std::set<std::string> passwords = {first, other};
  struct Servers {
    std::string user;  // the first of its two roles
    std::string file;
  };
  const std::vector<Servers> servers = {
      {"postgres", "superuser-password"}, {"replicator", "replication-password"}, {"rewinder", "rewind-password"}};
  // Twice, so that a login also comes back: with a password that the poolers have had another one for.
  for (const std::string wish : {"2026-11", "2026-12"}) {
    SCOPED_TRACE(wish);
    const bool to_second = wish == "2026-11";
    const std::string now = to_second ? "_b" : "";
    const std::string now_file = to_second ? "-b" : "";
    const std::string former = to_second ? "" : "_b";
    const std::string former_file = to_second ? "" : "-b";
    const json before = Secret().at("data");
    const auto password_before = [&](const std::string& file) {
      return kube::Base64Decode(before.at(file).get<std::string>()).value();
    };
    ASSERT_NO_FATAL_FAILURE(Annotate("rotate-passwords", wish));
    ASSERT_TRUE(Eventually([&] { return Annotation(kRotated) == wish; }, kPatience))
        << Kubernetes(kCluster).at("status").dump(2) << FileText(output());
    EXPECT_EQ(Annotation(kStep), "");
    const auto expect_rotated = [&](const std::string& user, const std::string& file, const std::string& database) {
      SCOPED_TRACE(user);
      EXPECT_NE(Password(file + now_file), password_before(file + now_file));
      EXPECT_EQ(Login(user + now, Password(file + now_file), database), "");
      EXPECT_THAT(Login(user + former, password_before(file + former_file), database),
                  HasSubstr("password authentication failed"));
      EXPECT_NE(Login(user + now, password_before(file + now_file), database), "") << "one from before the rotation";
      passwords.insert(Password(file + now_file));
      passwords.insert(password_before(file + now_file));
    };
    expect_rotated("holdfast", "application-password", "holdfast");
    for (const Servers& each : servers) expect_rotated(each.user, each.file, "postgres");
    EXPECT_TRUE(Eventually([&] { return Streams() == "replicator" + now + " streaming sync"; }, kPatience))
        << Streams();
    // What pg_rewind asks for; it has no superuser.
    auto rewinder = Open("rewinder" + now, Password("rewind-password" + now_file), "postgres");
    ASSERT_TRUE(rewinder.ok());
    EXPECT_EQ(rewinder
                  ->Value("SELECT count(*) > 0 FROM pg_ls_dir('.', true, false), pg_stat_file('PG_VERSION', true), "
                          "pg_read_binary_file('PG_VERSION', 0, 2, true)")
                  .value(),
              "t");
    EXPECT_EQ(AskPrimary("SELECT rolsuper FROM pg_roles WHERE rolname = 'rewinder" + now + "'"), "f");
    ASSERT_TRUE(load.AwaitAcknowledged(200));
  }
  EXPECT_EQ(Primary(), primary) << "a failover was provoked";
  const auto before_switchover = load.history().counts();
  EXPECT_EQ(before_switchover.refused, 0u) << testing::PrintToString(load.history().troubles());
  EXPECT_EQ(before_switchover.unknown, 0u) << testing::PrintToString(load.history().troubles());
  // The standby takes over, and the former primary follows it: with passwords that neither had when it was started.
  ASSERT_NO_FATAL_FAILURE(Annotate("switchover", ""));
  ASSERT_TRUE(Eventually([&] { return Primary() != primary; }, kPatience)) << FileText(output());
  EXPECT_TRUE(Eventually([&] { return Streams() == "replicator streaming sync"; }, kPatience)) << Streams();
  ASSERT_TRUE(load.AwaitAcknowledged(200));
  load.Stop();
  const auto counts = load.history().counts();
  testing::Test::RecordProperty("acknowledged", std::to_string(counts.acknowledged));
  EXPECT_THAT(Audit(load), IsEmpty());
  EXPECT_EQ(Containers(), containers) << "a server or a pooler was restarted";
  const std::string told = Told();
  for (const std::string& password : passwords) EXPECT_THAT(told, Not(HasSubstr(password)));

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

}  // namespace
}  // namespace holdfast::local
