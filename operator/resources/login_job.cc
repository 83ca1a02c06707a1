// The application's two logins, of which one is in use: how one is admitted with a new password, and how the former is
// retired once nobody needs it. A role has one password only; with two roles the old one stays good until every
// consumer has the new one.
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

std::string AdmitSql(const Login& login) {
  const std::string user = login.user();
  std::string sql = kQuietly;
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
  return sql.append("COMMIT;\n");
}

std::string RetireSql(const Login& login) {
  const std::string user = login.user();
  std::string sql = kQuietly;
  sql.append("ALTER ROLE ").append(user).append(" NOLOGIN PASSWORD NULL;\n");
  sql.append("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '").append(user);
  return sql.append("' AND pid <> pg_backend_pid();\n");
}

std::string FileOf(LoginChange::Step step, const Login& login) {
  return std::string(step == LoginChange::Step::kAdmit ? "admit-" : "retire-").append(login.user()).append(".sql");
}

Json Variable(const char* name, const std::string& value) {
  return {{"name", name}, {"value", value}};
}

Json PodSpec(const api::StorageCluster& cluster, const api::BackendSpec& backend, const BuildOptions& options,
             const std::string& sql) {
  const Json mounts =
      Json::array({Mount("templates", kTemplatesPath, true), Mount("credentials", kCredentialsPath, true),
                   Mount("tls", kTlsPath, true), Mount("rendered", kLoginPath, false)});
  Json credentials = SecretVolume("credentials", CredentialsName(cluster.name, backend.name), kSecretMode);
  for (const char* password : {kSuperuserPassword, kApplicationPassword, kSecondApplicationPassword}) {
    credentials["secret"]["items"].push_back({{"key", password}, {"path", password}});
  }
  Json tls = SecretVolume("tls", ServerTlsName(cluster.name, backend.name), kSecretMode);
  tls["secret"]["items"] = Json::array({{{"key", kAuthorityFile}, {"path", kAuthorityFile}}});
  const std::string bin = PathIn(PathIn("/usr/lib/postgresql", backend.postgres()->version), "bin");
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
      {"containers",
       Json::array(
           {{{"name", "login"},
             {"image", options.postgres_image},
             {"imagePullPolicy", "IfNotPresent"},
             {"command",
              {PathIn(bin, "psql"), "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--file",
               PathIn(kLoginPath, "change.sql")}},
             {"env",
              Json::array({Variable("PGHOST", ServiceHost(PrimaryServiceName(cluster.name, backend.name), cluster.ns)),
                           Variable("PGPORT", std::to_string(kPostgresPort)), Variable("PGUSER", kSuperuser),
                           Variable("PGDATABASE", kDatabase), Variable("PGSSLMODE", "verify-full"),
                           Variable("PGSSLROOTCERT", PathIn(kTlsPath, kAuthorityFile)),
                           Variable("PGPASSFILE", PathIn(kLoginPath, "pgpass")), Variable("PGCONNECT_TIMEOUT", "10")})},
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

std::string ApplicationChecksum(const std::string& credentials) {
  return credentials + "/application";
}

void AddLoginFiles(Json* files) {
  for (const Login& login : {Login{false, {}}, Login{true, {}}}) {
    (*files)[FileOf(LoginChange::Step::kAdmit, login)] = AdmitSql(login);
    (*files)[FileOf(LoginChange::Step::kRetire, login)] = RetireSql(login);
  }
  (*files)["pgpass"] =
      std::string("*:*:*:").append(kSuperuser).append(":{{file:").append(kSuperuserPassword).append("}}\n");
}

DesiredObject BuildLoginJob(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                            const BuildOptions& options) {
  const Login login = options.LoginOf(backend.name);
  const std::string sql = FileOf(login.change->step, login.other());
  const Json pod = PodSpec(cluster, backend, options, sql);
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
