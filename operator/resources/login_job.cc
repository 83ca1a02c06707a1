// The logins of a backend, of which there are two for everything that logs in and one is in use: how the other ones are
// admitted with new passwords, and how the former are retired once nobody needs them. A role has one password only;
// with two roles the old one stays good until everybody has the new one. The application's login counts as admitted
// when it has been used, on the primary and through each pooler; the servers' own when the superuser has been on each
// of them, and those of replication and pg_rewind on the primary.
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

// What carries a password's verifier is in no log: neither as a statement nor for its duration nor for its error, in
// the server's or in psql's own.
constexpr char kQuietly[] = R"(\set QUIET on
\set VERBOSITY terse
\o /dev/null
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = panic;
SET pg_stat_statements.track_utility = off;
)";

// Nobody is cut off: pods of the service use their login at least as often as they look after their health, every 5 s.
// Whoever has used it in the last 20 s is waited for, and named when it goes on. Patroni keeps the session it has, as
// whomever it was opened, and has been seen to go by the new login for whichever comes next (login.sh).
constexpr char kNobodyUsesThem[] = R"(DO $$
DECLARE
  places text;
BEGIN
  FOR attempt IN 1..60 LOOP
    PERFORM pg_stat_clear_snapshot();
    SELECT string_agg(DISTINCT usename || ' from ' || coalesce(host(client_addr), 'its own machine'), ', ') INTO places
    FROM pg_stat_activity
    WHERE usename IN ({users}) AND application_name <> 'Patroni'
    AND (state <> 'idle' OR state_change > clock_timestamp() - interval '20 seconds');
    IF places IS NULL THEN
      RETURN;
    END IF;
    PERFORM pg_sleep(2);
  END LOOP;
  RAISE EXCEPTION 'still in use: %', places;
END
$$;
)";

// A role may not be there: that of credentials from before it had a second.
constexpr char kTheyEnd[] = R"(SELECT format('ALTER ROLE %I NOLOGIN PASSWORD NULL', rolname)
FROM pg_roles WHERE rolname IN ({users}) \gexec
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename IN ({users}) AND application_name <> 'Patroni' AND pid <> pg_backend_pid();
)";

// What pg_rewind calls; Patroni grants it to the role it has made itself.
constexpr char kRewindFunctions[] =
    "pg_catalog.pg_ls_dir(text, boolean, boolean), pg_catalog.pg_stat_file(text, boolean), "
    "pg_catalog.pg_read_binary_file(text), pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)";

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

// A pooler reads its users again (pooler.sh), and a server its logins (patroni.sh), once the kubelet has brought them,
// which takes a minute or two.
constexpr char kLoginScript[] = R"(#!/bin/sh
# login.sh PSQL [USER@HOST:PORT]...
# Waits until each server of $MEMBERS goes by the logins of $ROTATION, carries change.sql and servers.sql out on the
# primary, then logs in at each of the places.
set -eu
IFS= read -r of < "$LOGIN_DIR/change.sql"
if [ "$of" != "-- $ROTATION" ]; then
  echo 'login.sh: the kubelet has brought credentials from before this rotation' >&2
  exit 1
fi
psql=$1
shift

# ask USER@HOST:PORT OPTIONS...
ask() {
  place=${1#*@} as=${1%%@*}
  shift
  PGHOST=${place%:*} PGPORT=${place##*:} PGUSER=$as PGSSLMODE=verify-ca "$psql" --no-psqlrc "$@" 2>&1
}

follows() {
  said=$(ask "$PGUSER@$1" --tuples-only --no-align --command 'SHOW {parameter}') && [ "$said" = "$ROTATION" ]
}

log_in() {
  case $1 in
    {replication}) said=$(ask "$1" --dbname replication=true --command IDENTIFY_SYSTEM) ;;
    {application}) said=$(ask "$1" --command 'SELECT 1') ;;
    *) said=$(ask "$1" --dbname {maintenance} --command 'SELECT 1') ;;
  esac
}

# await FUNCTION PLACE WHAT
await() {
  attempts=150
  until "$1" "$2"; do
    attempts=$((attempts - 1))
    if [ $attempts -eq 0 ]; then
      printf 'login.sh: %s %s: %s\n' "$2" "$3" "$said" >&2
      exit 1
    fi
    sleep 2
  done
}

for member in $MEMBERS; do
  await follows "$member" 'does not go by the new logins'
done
"$psql" --no-psqlrc --set ON_ERROR_STOP=1 --file "$LOGIN_DIR/change.sql" --file "$LOGIN_DIR/servers.sql"
for place in "$@"; do
  await log_in "$place" 'is not let in'
done
)";

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

std::string LoginScript() {
  const auto at_any_place = [](const char* first, const char* second) {
    return std::string(first).append("@* | ").append(second).append("@*");
  };
  std::string script = Replaced(kLoginScript, "{parameter}", kLoginsParameter);
  script = Replaced(std::move(script), "{replication}", at_any_place(kReplication.users[0], kReplication.users[1]));
  script = Replaced(std::move(script), "{application}", at_any_place(kApplicationUser, kSecondApplicationUser));
  return Replaced(std::move(script), "{maintenance}", kMaintenanceDatabase);
}

std::string Heading() {
  return std::string("-- {{file:").append(kRotationFile).append("}}\n").append(kQuietly);
}

// For a database of before there were two.
std::string CreateIfAbsent(const std::string& user) {
  std::string sql = "SELECT 'CREATE ROLE ";
  sql.append(user).append("' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '");
  return sql.append(user).append("') \\gexec\n");
}

// `rights`: "LOGIN" and what else the role is to have.
std::string LetIn(const std::string& user, const char* rights, const char* verifier_of) {
  std::string sql = "ALTER ROLE ";
  sql.append(user).append(" ").append(rights).append(" PASSWORD :'").append(VerifierVariable(verifier_of));
  return sql.append("';\n");
}

std::string Verifiers() {
  return std::string("{{file:").append(kVerifiersFile).append("}}\n");
}

std::string AdmitSql(const Login& login) {
  const std::string user = login.user();
  std::string sql = Heading().append(Verifiers());
  sql += "BEGIN;\n";
  if (login.second) {
    sql.append(CreateIfAbsent(user));
    sql.append("GRANT ").append(kApplicationUser).append(" TO ").append(user).append(";\n");
    sql.append("ALTER ROLE ").append(user).append(" SET role = '").append(kApplicationUser).append("';\n");
    for (const char* limit :
         {"lock_timeout = '5s'", "statement_timeout = '30s'", "idle_in_transaction_session_timeout = '10s'"}) {
      sql.append("ALTER ROLE ").append(user).append(" SET ").append(limit).append(";\n");
    }
  }
  sql.append(LetIn(user, "LOGIN", kApplicationVerifier));
  return sql.append("COMMIT;\n").append(kStandbysFollow);
}

// Grants on functions are of one database.
std::string AdmitServersSql(const Login& login) {
  std::string sql = std::string("\\connect ").append(kMaintenanceDatabase).append("\n");
  sql.append(kQuietly).append(Verifiers()).append("BEGIN;\n");
  for (const ServerRole& role : kServerRoles) {
    const std::string user = login.user_of(role);
    sql.append(CreateIfAbsent(user));
    const char* rights = &role == &kSuperuser     ? "SUPERUSER LOGIN"
                         : &role == &kReplication ? "REPLICATION LOGIN"
                                                  : "LOGIN";
    sql.append(LetIn(user, rights, role.name));
  }
  sql.append("GRANT EXECUTE ON FUNCTION ").append(kRewindFunctions).append(" TO ").append(login.user_of(kRewind));
  return sql.append(";\nCOMMIT;\n").append(kStandbysFollow);
}

std::string RetireSql(std::string heading, const std::vector<std::string>& users) {
  std::string list;
  for (const std::string& user : users) list.append(list.empty() ? "'" : ", '").append(user).append("'");
  heading.append(Replaced(kNobodyUsesThem, "{users}", list)).append(Replaced(kTheyEnd, "{users}", list));
  return heading.append(kStandbysFollow);
}

std::string RetireServersSql(const Login& login) {
  std::vector<std::string> users;
  users.reserve(std::size(kServerRoles));
  for (const ServerRole& role : kServerRoles) users.emplace_back(login.user_of(role));
  return RetireSql("", users);
}

std::string FileOf(LoginChange::Step step, const std::string& user) {
  return std::string(step == LoginChange::Step::kAdmit ? "admit-" : "retire-").append(user).append(".sql");
}

Json Variable(const char* name, const std::string& value) {
  return {{"name", name}, {"value", value}};
}

std::string At(const std::string& address, int port) {
  return std::string(address).append(":").append(std::to_string(port));
}

// Where the change has to show before it counts. Of a retired login nowhere.
std::vector<std::string> Places(const std::string& primary, const Login& changed, const LoginChange& change) {
  std::vector<std::string> places;
  if (change.step != LoginChange::Step::kAdmit) return places;
  const auto add = [&places](const char* user, const std::string& place) {
    places.push_back(std::string(user).append("@").append(place));
  };
  add(changed.user(), At(primary, kPostgresPort));
  for (const std::string& pooler : change.poolers) add(changed.user(), At(pooler, kPoolerPort));
  for (const std::string& member : change.members) add(changed.user_of(kSuperuser), At(member, kPostgresPort));
  for (const ServerRole* role : {&kReplication, &kRewind}) add(changed.user_of(*role), At(primary, kPostgresPort));
  return places;
}

Json Environment(const std::string& primary, const Login& login) {
  std::string members;
  if (login.change->step == LoginChange::Step::kRetire) {
    for (const std::string& member : login.change->members) {
      members.append(members.empty() ? "" : " ").append(At(member, kPostgresPort));
    }
  }
  return Json::array({Variable("PGHOST", primary), Variable("PGPORT", std::to_string(kPostgresPort)),
                      Variable("PGUSER", login.user_of(kSuperuser)), Variable("PGDATABASE", kDatabase),
                      Variable("PGSSLMODE", "verify-full"), Variable("PGSSLROOTCERT", PathIn(kTlsPath, kAuthorityFile)),
                      Variable("PGPASSFILE", PathIn(kLoginPath, "pgpass")), Variable("PGCONNECT_TIMEOUT", "10"),
                      Variable("LOGIN_DIR", kLoginPath), Variable("MEMBERS", members),
                      Variable("ROTATION", Hash(login.change->wish))});
}

Json PodSpec(const api::StorageCluster& cluster, const api::BackendSpec& backend, const BuildOptions& options,
             const Login& login) {
  const Json mounts =
      Json::array({Mount("templates", kTemplatesPath, true), Mount("credentials", kCredentialsPath, true),
                   Mount("tls", kTlsPath, true), Mount("rendered", kLoginPath, false)});
  Json credentials = SecretVolume("credentials", CredentialsName(cluster.name, backend.name), kSecretMode);
  std::vector<std::string> files = {kApplicationPassword, kSecondApplicationPassword, kVerifiersFile, kRotationFile};
  for (const ServerRole& role : kServerRoles) files.insert(files.end(), {role.passwords[0], role.passwords[1]});
  for (const std::string& file : files) credentials["secret"]["items"].push_back({{"key", file}, {"path", file}});
  Json tls = SecretVolume("tls", ServerTlsName(cluster.name, backend.name), kSecretMode);
  tls["secret"]["items"] = Json::array({{{"key", kAuthorityFile}, {"path", kAuthorityFile}}});
  const Login other = login.other();
  const std::string change = FileOf(login.change->step, other.user());
  const std::string servers = FileOf(login.change->step, other.user_of(kSuperuser));
  const std::string bin = PathIn(PathIn("/usr/lib/postgresql", backend.postgres()->version), "bin");
  const std::string primary = ServiceHost(PrimaryServiceName(cluster.name, backend.name), cluster.ns);
  Json command = {"sh", PathIn(kTemplatesPath, "login.sh"), PathIn(bin, "psql")};
  for (std::string& place : Places(primary, other, *login.change)) command.push_back(std::move(place));
  return {{"serviceAccountName", cluster.name},
          {"automountServiceAccountToken", false},
          {"enableServiceLinks", false},
          {"restartPolicy", "Never"},
          {"securityContext", PodSecurityContext()},
          {"initContainers",
           Json::array({RenderContainer(
               options.postgres_image,
               {PathIn(kTemplatesPath, change), PathIn(kLoginPath, "change.sql"), PathIn(kTemplatesPath, servers),
                PathIn(kLoginPath, "servers.sql"), PathIn(kTemplatesPath, "pgpass"), PathIn(kLoginPath, "pgpass")},
               mounts)})},
          {"containers", Json::array({{{"name", "login"},
                                       {"image", options.postgres_image},
                                       {"imagePullPolicy", "IfNotPresent"},
                                       {"command", std::move(command)},
                                       {"env", Environment(primary, login)},
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

std::string VerifierVariable(const std::string& of) {
  return std::string(of).append("_verifier");
}

void AddLoginFiles(Json* files) {
  std::string pgpass;
  const auto add = [&pgpass](const char* user, const char* password) {
    pgpass.append("*:*:*:").append(user).append(":{{file:").append(password).append("}}\n");
  };
  for (const Login& login : {Login{false, {}, false}, Login{true, {}, true}}) {
    (*files)[FileOf(LoginChange::Step::kAdmit, login.user())] = AdmitSql(login);
    (*files)[FileOf(LoginChange::Step::kRetire, login.user())] = RetireSql(Heading(), {login.user()});
    const std::string superuser = login.user_of(kSuperuser);
    (*files)[FileOf(LoginChange::Step::kAdmit, superuser)] = AdmitServersSql(login);
    (*files)[FileOf(LoginChange::Step::kRetire, superuser)] = RetireServersSql(login);
    add(login.user(), login.password());
    for (const ServerRole& role : kServerRoles) add(login.user_of(role), login.password_of(role));
  }
  (*files)["login.sh"] = LoginScript();
  (*files)["pgpass"] = std::move(pgpass);
}

DesiredObject BuildLoginJob(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                            const BuildOptions& options) {
  const Login login = options.LoginOf(backend.name);
  return LoginJobOf(cluster, backend, PodSpec(cluster, backend, options, login), {{"wish", login.change->wish}});
}

DesiredObject LoginJobOf(const api::StorageCluster& cluster, const api::BackendSpec& backend, Json pod, Json of) {
  of["pod"] = pod;
  const std::string hash = Hash(of);
  DesiredObject made;
  made.kind = kube::kinds::kJob;
  made.backend = backend.name;
  made.object =
      ChildObject(cluster, made.kind,
                  BackendName(cluster.name, backend.name) + "-login-" + hash.substr(hash.find(':') + 1, kHashLength));
  const Json labels = BackendLabels(cluster, backend.name, kLoginRole);
  made.object["metadata"]["labels"] = labels;
  made.object["spec"] = {{"backoffLimit", kRetries},
                         {"template", {{"metadata", {{"labels", labels}}}, {"spec", std::move(pod)}}}};
  return made;
}

}  // namespace holdfast::resources
