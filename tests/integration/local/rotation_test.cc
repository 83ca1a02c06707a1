// New passwords for the application, with everything real: PostgreSQL under Patroni, PgBouncer, the operator, and the
// state service with clients that write through its Service all the while.
#include <set>

#include "operator/kube/base64.h"
#include "tests/integration/local/local_command_fixture.h"
#include "tests/integration/postgres/audited_load.h"
#include "tests/postgres/session.h"

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
  // "" when it is let in, else why not. On the primary itself.
  std::string Login(const std::string& user, const std::string& password) const {
    json primary;
    if (!Eventually([&] { return (primary = Pods("role%3Dmaster")).size() == 1; }, kPatience)) return "no primary";
    const std::string host = primary.at(0).at("status").at("podIP");
    const auto session =
        Session::Open("host=" + host + " dbname=holdfast sslmode=require user=" + user + " password=" + password);
    return session.ok() ? "" : session.error().message();
  }
  void Wish(const std::string& wish) const {
    http::ClientOptions options;
    options.base_url = Event("api")["server"];
    http::HttpClient client(options);
    const json patch = {{"metadata", {{"annotations", {{"storage.holdfast.dev/rotate-passwords", wish}}}}}};
    const auto answer =
        client.Send({"PATCH", kCluster, {{"Content-Type", "application/merge-patch+json"}}, patch.dump()},
                    Deadline::After(std::chrono::seconds(10)));
    ASSERT_TRUE(answer.ok() && answer->status == 200);
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
  std::set<std::string> passwords = {first, other};
  struct Round {
    const char* wish;
    const char* user;
    const char* file;
    const char* former_user;
    const char* former_file;
  };
  // Twice, so that a login also comes back: with a password that the poolers have had another one for.
  for (const Round& round :
       {Round{"2026-11", "holdfast_b", "application-password-b", "holdfast", "application-password"},
        Round{"2026-12", "holdfast", "application-password", "holdfast_b", "application-password-b"}}) {
    SCOPED_TRACE(round.wish);
    const std::string former = Password(round.former_file);
    const std::string before = Password(round.file);
    ASSERT_NO_FATAL_FAILURE(Wish(round.wish));
    ASSERT_TRUE(Eventually([&] { return Annotation(kRotated) == round.wish; }, kPatience))
        << Kubernetes(kCluster).at("status").dump(2) << FileText(output());
    EXPECT_EQ(Annotation(kStep), "");
    EXPECT_NE(Password(round.file), before);
    EXPECT_EQ(Login(round.user, Password(round.file)), "");
    EXPECT_THAT(Login(round.former_user, former), HasSubstr("password authentication failed"));
    EXPECT_NE(Login(round.user, before), "") << "a password from before the rotation";
    passwords.insert(Password(round.file));
    ASSERT_TRUE(load.AwaitAcknowledged(200));
  }
  load.Stop();
  const auto counts = load.history().counts();
  testing::Test::RecordProperty("acknowledged", std::to_string(counts.acknowledged));
  EXPECT_EQ(counts.refused, 0u) << testing::PrintToString(load.history().troubles());
  EXPECT_EQ(counts.unknown, 0u) << testing::PrintToString(load.history().troubles());
  EXPECT_THAT(Audit(load), IsEmpty());
  EXPECT_EQ(Containers(), containers) << "a server or a pooler was restarted";
  const std::string told = Told();
  for (const std::string& password : passwords) EXPECT_THAT(told, Not(HasSubstr(password)));

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

}  // namespace
}  // namespace holdfast::local
