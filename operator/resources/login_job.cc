// The application's two logins, of which one is in use: how one is admitted with a new password, and how the former is
// retired once nobody needs it. A role has one password only; with two roles the old one stays good until every
// consumer has the new one. A login counts as admitted when it has been used: on the primary, and through each pooler.
#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"
#include "operator/resources/postgres.h"

namespace holdfast::resources {
namespace {

using kube::Json;

constexpr char kLoginPath[] = "/etc/holdfast-login";
constexpr int kRetries = 6;
constexpr int kSecretMode = 0440;
constexpr std::size_t kHashLength = 10;

// What carries a password is in no log: neither as a statement nor for its duration nor for its error, in the server's
// or in psql's own.
constexpr char kQuietly[] = R"(\set QUIET on
\set VERBOSITY terse
\o /dev/null
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = panic;
)";

// Nobody is cut off: pods of the service use their login at least as often as they look after their health, every 5 s.
// Whoever has used it in the last 20 s is waited for, and named when it goes on.
constexpr char kNobodyUsesIt[] = R"(DO $$
DECLARE
  places text;
BEGIN
  FOR attempt IN 1..60 LOOP
    PERFORM pg_stat_clear_snapshot();
    SELECT string_agg(DISTINCT host(client_addr), ', ') INTO places FROM pg_stat_activity
    WHERE usename = '{user}' AND (state <> 'idle' OR state_change > clock_timestamp() - interval '20 seconds');
    IF places IS NULL THEN
      RETURN;
    END IF;
    PERFORM pg_sleep(2);
  END LOOP;
  RAISE EXCEPTION '{user} is still in use from %', places;
END
$$;
)";

// Behind the commit: a primary that knows nothing of the change would otherwise be a replica's failover away, also
// where no commit waits for standbys.
constexpr char kStandbysFollow[] = R"(DO $$
DECLARE
  changed pg_lsn := pg_current_wal_lsn();
BEGIN
  FOR attempt IN 1..60 LOOP
    IF NOT EXISTS (SELECT FROM pg_stat_get_wal_senders()
                   WHERE state IN ('streaming', 'catchup') AND (replay_lsn IS NULL OR replay_lsn < changed)) THEN
      RETURN;
    END IF;
    PERFORM pg_sleep(1);
  END LOOP;
  RAISE EXCEPTION 'a standby has not followed within a minute';
END
$$;
)";

// A pooler reads its users again (pooler.sh) once the kubelet has brought them, which takes a minute or two.
constexpr char kLoginScript[] = R"(#!/bin/sh
# login.sh PSQL [HOST:PORT]...
# Carries change.sql out on the primary, then logs in as $LOGIN at each of the places.
set -eu
IFS= read -r of < "$LOGIN_DIR/change.sql"
if [ "$of" != "-- $ROTATION" ]; then
  echo 'login.sh: the kubelet has brought credentials from before this rotation' >&2
  exit 1
fi
"$1" --no-psqlrc --set ON_ERROR_STOP=1 --file "$LOGIN_DIR/change.sql"
psql=$1
shift
for place in "$@"; do
  attempts=150
  until said=$(PGHOST=${place%:*} PGPORT=${place##*:} PGUSER=$LOGIN PGSSLMODE=verify-ca \
               "$psql" --no-psqlrc --command 'SELECT 1' 2>&1 >/dev/null); do
    attempts=$((attempts - 1))
    if [ $attempts -eq 0 ]; then
      printf 'login.sh: %s does not let %s in: %s\n' "$place" "$LOGIN" "$said" >&2
      exit 1
    fi
    sleep 2
  done
done
)";

std::string Heading() {
  return std::string("-- {{file:").append(kRotationFile).append("}}\n").append(kQuietly);
}

std::string AdmitSql(const Login& login) {
  const std::string user = login.user();
  std::string sql = Heading();
  sql += "BEGIN;\n";
  if (login.second) {
    // For a database of before there were two.
    sql.append("SELECT 'CREATE ROLE ")
        .append(user)
        .append("' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '");
    sql.append(user).append("') \\gexec\n");
    sql.append("GRANT ").append(kApplicationUser).append(" TO ").append(user).append(";\n");
    sql.append("ALTER ROLE ").append(user).append(" SET role = '").append(kApplicationUser).append("';\n");
    for (const char* limit :
         {"lock_timeout = '5s'", "statement_timeout = '30s'", "idle_in_transaction_session_timeout = '10s'"}) {
      sql.append("ALTER ROLE ").append(user).append(" SET ").append(limit).append(";\n");
    }
  }
  sql.append("ALTER ROLE ").append(user).append(" LOGIN PASSWORD '{{file:").append(login.password()).append("}}';\n");
  return sql.append("COMMIT;\n").append(kStandbysFollow);
}

std::string RetireSql(const Login& login) {
  const std::string user = login.user();
  std::string sql = Heading();
  std::string silence = kNobodyUsesIt;
  for (std::size_t at = 0; (at = silence.find("{user}", at)) != std::string::npos;) silence.replace(at, 6, user);
  sql.append(silence);
  sql.append("ALTER ROLE ").append(user).append(" NOLOGIN PASSWORD NULL;\n");
  sql.append("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '").append(user);
  return sql.append("' AND pid <> pg_backend_pid();\n").append(kStandbysFollow);
}

std::string FileOf(LoginChange::Step step, const Login& login) {
  return std::string(step == LoginChange::Step::kAdmit ? "admit-" : "retire-").append(login.user()).append(".sql");
}

Json Variable(const char* name, const std::string& value) {
  return {{"name", name}, {"value", value}};
}

// Where the change has to show before it counts. Of a retired login nowhere.
std::vector<std::string> Places(const std::string& primary, const LoginChange& change) {
  std::vector<std::string> places;
  if (change.step != LoginChange::Step::kAdmit) return places;
  places.push_back(primary + ":" + std::to_string(kPostgresPort));
  for (const std::string& pooler : change.poolers) places.push_back(pooler + ":" + std::to_string(kPoolerPort));
  return places;
}

Json Environment(const std::string& primary, const Login& changed, const std::string& wish) {
  return Json::array({Variable("PGHOST", primary), Variable("PGPORT", std::to_string(kPostgresPort)),
                      Variable("PGUSER", kSuperuser), Variable("PGDATABASE", kDatabase),
                      Variable("PGSSLMODE", "verify-full"), Variable("PGSSLROOTCERT", PathIn(kTlsPath, kAuthorityFile)),
                      Variable("PGPASSFILE", PathIn(kLoginPath, "pgpass")), Variable("PGCONNECT_TIMEOUT", "10"),
                      Variable("LOGIN_DIR", kLoginPath), Variable("LOGIN", changed.user()),
                      Variable("ROTATION", Hash(wish))});
}

Json PodSpec(const api::StorageCluster& cluster, const api::BackendSpec& backend, const BuildOptions& options,
             const Login& login) {
  const Json mounts =
      Json::array({Mount("templates", kTemplatesPath, true), Mount("credentials", kCredentialsPath, true),
                   Mount("tls", kTlsPath, true), Mount("rendered", kLoginPath, false)});
  Json credentials = SecretVolume("credentials", CredentialsName(cluster.name, backend.name), kSecretMode);
  for (const char* file : {kSuperuserPassword, kApplicationPassword, kSecondApplicationPassword, kRotationFile}) {
    credentials["secret"]["items"].push_back({{"key", file}, {"path", file}});
  }
  Json tls = SecretVolume("tls", ServerTlsName(cluster.name, backend.name), kSecretMode);
  tls["secret"]["items"] = Json::array({{{"key", kAuthorityFile}, {"path", kAuthorityFile}}});
  const std::string sql = FileOf(login.change->step, login.other());
  const std::string bin = PathIn(PathIn("/usr/lib/postgresql", backend.postgres()->version), "bin");
  const std::string primary = ServiceHost(PrimaryServiceName(cluster.name, backend.name), cluster.ns);
  Json command = {"sh", PathIn(kTemplatesPath, "login.sh"), PathIn(bin, "psql")};
  for (std::string& place : Places(primary, *login.change)) command.push_back(std::move(place));
  return {
      {"serviceAccountName", cluster.name},
      {"automountServiceAccountToken", false},
      {"enableServiceLinks", false},
      {"restartPolicy", "Never"},
      {"securityContext", PodSecurityContext()},
      {"initContainers", Json::array({RenderContainer(options.postgres_image,
                                                      {PathIn(kTemplatesPath, sql), PathIn(kLoginPath, "change.sql"),
                                                       PathIn(kTemplatesPath, "pgpass"), PathIn(kLoginPath, "pgpass")},
                                                      mounts)})},
      {"containers", Json::array({{{"name", "login"},
                                   {"image", options.postgres_image},
                                   {"imagePullPolicy", "IfNotPresent"},
                                   {"command", std::move(command)},
                                   {"env", Environment(primary, login.other(), login.change->wish)},
                                   {"resources", ContainerResources(Json::object(), Json::object(), "10m", "32Mi")},
                                   // psql names the line that failed, never what stands in it.
                                   {"terminationMessagePolicy", "FallbackToLogsOnError"},
                                   {"securityContext", ContainerSecurityContext()},
                                   {"volumeMounts", mounts}}})},
      {"volumes", Json::array({ConfigMapVolume("templates", BackendConfigName(cluster.name, backend.name)),
                               std::move(credentials), std::move(tls), MemoryVolume("rendered")})}};
}

}  // namespace

const char* Login::user() const {
  return second ? kSecondApplicationUser : kApplicationUser;
}

const char* Login::password() const {
  return second ? kSecondApplicationPassword : kApplicationPassword;
}

Login BuildOptions::LoginOf(const std::string& backend) const {
  const auto found = logins.find(backend);
  return found == logins.end() ? Login{} : found->second;
}

void AddLoginFiles(Json* files) {
  for (const Login& login : {Login{false, {}}, Login{true, {}}}) {
    (*files)[FileOf(LoginChange::Step::kAdmit, login)] = AdmitSql(login);
    (*files)[FileOf(LoginChange::Step::kRetire, login)] = RetireSql(login);
  }
  (*files)["login.sh"] = kLoginScript;
  std::string pgpass;
  for (const auto& [user, password] :
       {std::pair(kSuperuser, kSuperuserPassword), std::pair(kApplicationUser, kApplicationPassword),
        std::pair(kSecondApplicationUser, kSecondApplicationPassword)}) {
    pgpass.append("*:*:*:").append(user).append(":{{file:").append(password).append("}}\n");
  }
  (*files)["pgpass"] = std::move(pgpass);
}

DesiredObject BuildLoginJob(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                            const BuildOptions& options) {
  const Login login = options.LoginOf(backend.name);
  const Json pod = PodSpec(cluster, backend, options, login);
  const std::string hash = Hash({{"pod", pod}, {"wish", login.change->wish}});
  DesiredObject made;
  made.kind = kube::kinds::kJob;
  made.backend = backend.name;
  made.object =
      ChildObject(cluster, made.kind,
                  BackendName(cluster.name, backend.name) + "-login-" + hash.substr(hash.find(':') + 1, kHashLength));
  const Json labels = BackendLabels(cluster, backend.name, kLoginRole);
  made.object["metadata"]["labels"] = labels;
  made.object["spec"] = {{"backoffLimit", kRetries}, {"template", {{"metadata", {{"labels", labels}}}, {"spec", pod}}}};
  return made;
}

}  // namespace holdfast::resources
