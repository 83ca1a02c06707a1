// The shell scripts of a PostgreSQL backend's pods, run as a pod would run them.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/config/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "operator/resources/postgres.h"

namespace holdfast::resources {
namespace {

using kube::Json;
using ::testing::HasSubstr;
using ::testing::Not;

Json Files() {
  api::StorageCluster cluster;
  cluster.ns = "prod";
  cluster.name = "demo";
  api::PostgresBackend postgres;
  postgres.storage_size = "20Gi";
  cluster.spec.backends = {{"db", postgres}};
  return BackendFiles(cluster, cluster.spec.backends[0]);
}

class RenderTest : public ::testing::Test {
 protected:
  RenderTest() {
    folder_ = std::filesystem::temp_directory_path() / ("render-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_ / "credentials");
    files_ = Files();
    Write("render.sh", files_.at("render.sh").get<std::string>());
  }
  ~RenderTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }

  // The exit status; what came out is in `rendered`.
  int Render(const std::string& text, std::string* rendered) {
    Write("template", text);
    const std::string folder = folder_.string();
    const std::string command = "cd " + folder + " && POD_IP=10.0.0.7 TLS_DIR=/tls PATRONI_DIR=/p RUN_DIR=/run " +
                                "PGBOUNCER_DIR=/b CREDENTIALS_DIR=" + folder +
                                "/credentials sh render.sh template target 2>/dev/null";
    const int status = std::system(command.c_str());
    std::ifstream target(folder_ / "target");
    *rendered = std::string(std::istreambuf_iterator<char>(target), {});
    return WEXITSTATUS(status);
  }

  std::filesystem::path folder_;
  Json files_;
};

TEST_F(RenderTest, FillsInEverythingThatIsAskedFor) {
  for (const char* name : {kApplicationPassword, kSecondApplicationPassword, kRotationFile, kVerifiersFile}) {
    Write("credentials/" + std::string(name), std::string("secret-of-") + name);
  }
  for (const ServerRole& role : kServerRoles) {
    for (const char* name : role.passwords) {
      Write("credentials/" + std::string(name), std::string("secret-of-") + name);
    }
  }
  for (const char* file : {"patroni.yml", "application.sql", "pgbouncer.ini", "pgpass", "admit-holdfast.sql",
                           "admit-holdfast_b.sql", "retire-holdfast.sql", "retire-holdfast_b.sql", "admit-postgres.sql",
                           "admit-postgres_b.sql", "retire-postgres.sql", "retire-postgres_b.sql"}) {
    std::string rendered;
    ASSERT_EQ(Render(files_.at(file).get<std::string>(), &rendered), 0) << file;
    EXPECT_THAT(rendered, Not(HasSubstr("{{"))) << file;
    EXPECT_THAT(rendered, HasSubstr("\n"));
    if (std::string(file) == "patroni.yml") {
      const Json patroni = config::ParseYamlDocuments(rendered, file).value().front();
      const Json& login = patroni.at("postgresql").at("authentication").at("superuser");
      EXPECT_EQ(login, Json({{"sslmode", "verify-ca"}, {"sslrootcert", "/tls/ca.crt"}})) << "the rest is followed";
      EXPECT_EQ(patroni.at("postgresql").at("parameters").at("unix_socket_directories"), "/run");
    }
    if (std::string(file) == "application.sql") {
      EXPECT_THAT(rendered, HasSubstr("CREATE ROLE holdfast LOGIN PASSWORD 'secret-of-application-password';"));
    }
    if (std::string(file) == "pgbouncer.ini") {
      EXPECT_THAT(rendered, HasSubstr("listen_addr = 10.0.0.7\n"));
    }
    if (std::string(file) == "pgpass") {
      EXPECT_THAT(rendered, HasSubstr("*:*:*:holdfast_b:secret-of-application-password-b\n"));
      EXPECT_THAT(rendered, HasSubstr("*:*:*:postgres:secret-of-superuser-password\n"));
      EXPECT_THAT(rendered, HasSubstr("*:*:*:replicator_b:secret-of-replication-password-b\n"));
      EXPECT_EQ(std::count(rendered.begin(), rendered.end(), '\n'), 8);
    }
    if (std::string(file).starts_with("admit-")) {
      EXPECT_THAT(rendered, HasSubstr("secret-of-verifiers.sql\n"));
      EXPECT_THAT(rendered, Not(HasSubstr("-password"))) << "the server is not told a password";
    }
  }
  const auto mode = std::filesystem::status(folder_ / "target").permissions();
  EXPECT_EQ(mode & std::filesystem::perms::others_all, std::filesystem::perms::none);
  EXPECT_EQ(mode & std::filesystem::perms::group_all, std::filesystem::perms::none);
}

// Against a psql that is played: it is refused by the second place as often as the file says.
TEST_F(RenderTest, ALoginIsTriedUntilItIsLetInEverywhere) {
  Write("login.sh", files_.at("login.sh").get<std::string>());
  Write("psql", R"(#!/bin/sh
echo "$PGUSER@$PGHOST:$PGPORT $PGSSLMODE $*" | sed 's/--no-psqlrc //' >> asked
case "$*" in
  *SHOW*)
    seen=$(cat member)
    echo sha256:1 > member
    echo "$seen"
    ;;
esac
[ "$PGHOST" != fd00::6 ] && exit 0
left=$(cat refusals)
[ "$left" -eq 0 ] && exit 0
echo $((left - 1)) > refusals
echo 'password authentication failed' >&2
exit 2
)");
  Write("sleep", "#!/bin/sh\n");
  Write("change.sql", "-- sha256:1\nALTER ROLE ...\n");
  const auto run = [&](const std::string& refusals, const std::string& rotation = "sha256:1",
                       const std::string& members = "") {
    Write("refusals", refusals);
    Write("asked", "");
    Write("member", "sha256:0\n");
    const std::string command = "cd " + folder_.string() +
                                " && chmod +x psql sleep && PATH=.:$PATH PGUSER=postgres PGHOST=primary PGPORT=1 "
                                "PGSSLMODE=verify-full LOGIN_DIR=. MEMBERS='" +
                                members + "' ROTATION=" + rotation +
                                " sh login.sh ./psql holdfast_b@fd00::6:6432 postgres_b@10.0.0.1:5432 "
                                "replicator_b@primary:5432 2>said";
    return WEXITSTATUS(std::system(command.c_str()));
  };
  const auto text = [&](const char* name) {
    std::ifstream file(folder_ / name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string change =
      "postgres@primary:1 verify-full --set ON_ERROR_STOP=1 --file ./change.sql --file ./servers.sql\n";
  const std::string application = "holdfast_b@fd00::6:6432 verify-ca --command SELECT 1\n";
  EXPECT_EQ(run("1"), 0);
  EXPECT_EQ(text("asked"), change + application + application +
                               "postgres_b@10.0.0.1:5432 verify-ca --dbname postgres --command SELECT 1\n"
                               "replicator_b@primary:5432 verify-ca --dbname replication=true --command "
                               "IDENTIFY_SYSTEM\n");
  EXPECT_NE(run("1000"), 0);
  EXPECT_EQ(text("said"), "login.sh: holdfast_b@fd00::6:6432 is not let in: password authentication failed\n");
  // Nothing is changed before each member goes by the logins of this rotation.
  EXPECT_EQ(run("0", "sha256:1", "10.0.0.1:5432"), 0);
  const std::string shows =
      "postgres@10.0.0.1:5432 verify-ca --tuples-only --no-align --command SHOW holdfast.logins\n";
  EXPECT_THAT(text("asked"), ::testing::StartsWith(shows + shows + change));
  EXPECT_NE(run("0", "sha256:2"), 0) << "the password before the newest would be set";
  EXPECT_EQ(text("asked"), "");
}

// With a Patroni that is played: what it finds when it starts, and at each hangup.
TEST_F(RenderTest, PatroniStartsWithItsLoginsAndIsToldOfNewOnes) {
  Write("patroni.sh", files_.at("patroni.sh").get<std::string>());
  Write("patroni", R"(#!/usr/bin/env python3
import os, pathlib, signal, sys, time
def tell(what):
    with open("heard", "a") as heard:
        heard.write(what + " " + pathlib.Path(sys.argv[1], "logins.yml").read_text())
signal.signal(signal.SIGHUP, lambda *_: tell("told"))
tell("began")
deadline = time.monotonic() + 100
while not os.path.exists("stop") and time.monotonic() < deadline:
    time.sleep(0.01)
)");
  Write("sleep", "#!/bin/sh\nexec /bin/sleep 0.02\n");
  // The logins come after the container, as from a kubelet that is late, and change while it runs.
  Write("play", R"(chmod +x patroni sleep
mkdir folder
touch heard
PATH=.:$PATH sh patroni.sh folder "$PWD/credentials/logins" &
become() {
  echo "$1" > credentials/next
  mv credentials/next credentials/logins
}
await() {
  until grep -q "$1" heard; do /bin/sleep 0.01; done
}
become one
await 'began one'
become two
await 'told two'
touch stop
wait
)");
  const std::string command = "cd " + folder_.string() + " && timeout 100 sh play";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 0);
  std::ifstream heard(folder_ / "heard");
  std::string first;
  std::getline(heard, first);
  EXPECT_EQ(first, "began one");
}

TEST_F(RenderTest, LeavesTheRestOfALineAsItIs) {
  Write("credentials/a", "x\\y $HOME `id` %s");
  std::string rendered;
  ASSERT_EQ(Render("  \\t {{file:a}}{{env:POD_IP}} } { \"q\" $PATH\nlast without an end", &rendered), 0);
  EXPECT_EQ(rendered, "  \\t x\\y $HOME `id` %s10.0.0.7 } { \"q\" $PATH\nlast without an end\n");
}

TEST_F(RenderTest, FailsRatherThanLeavingAHole) {
  std::string rendered;
  EXPECT_NE(Render("{{file:missing}}", &rendered), 0);
  EXPECT_NE(Render("{{env:MISSING}}", &rendered), 0);
  EXPECT_NE(Render("{{what:ever}}", &rendered), 0);
}

}  // namespace
}  // namespace holdfast::resources
