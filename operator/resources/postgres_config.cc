// The configuration files of a PostgreSQL backend. What differs from pod to pod or is secret is filled in by render.sh.
#include "base/config/yaml.h"
#include "operator/api/v1/postgres_rules.h"
#include "operator/resources/names.h"
#include "operator/resources/postgres.h"
#include "operator/resources/postgres_backup.h"

namespace holdfast::resources {
namespace {

using kube::Json;

// Patroni's own defaults, written down because the operator counts on them. 2 * retry_timeout + loop_wait <= ttl.
constexpr int kTtlSeconds = 30;
constexpr int kLoopWaitSeconds = 10;
constexpr int kRetryTimeoutSeconds = 10;
constexpr int kArchiveTimeoutSeconds = 60;
constexpr int kRepositoryTimeoutSeconds = 10;
constexpr int kObjectStoreTimeoutSeconds = 60;
constexpr int kPoolSize = 20;
constexpr int kMaximumClients = 1000;

// POSIX sh with nothing but `cat` beside it. The value of a secret is never an argument of a program: it goes from
// `cat` into a variable and through printf, which the shell runs itself.
constexpr char kRenderScript[] = R"(#!/bin/sh
# render.sh TEMPLATE TARGET [TEMPLATE TARGET]...
# Fills in {{env:NAME}} (of the environment) and {{file:NAME}} (of $CREDENTIALS_DIR).
set -eu
umask 077
while [ $# -ge 2 ]; do
  template=$1 target=$2
  shift 2
  while IFS= read -r line || [ -n "$line" ]; do
    out=
    while :; do
      case $line in
        *'{{'*'}}'*) ;;
        *) break ;;
      esac
      out=$out${line%%'{{'*}
      line=${line#*'{{'}
      what=${line%%'}}'*}
      line=${line#*'}}'}
      case $what in
        file:*) value=$(cat "$CREDENTIALS_DIR/${what#file:}") ;;
        env:*) eval "value=\${${what#env:}}" ;;
        *) echo "render.sh: $template: {{$what}} is unknown" >&2; exit 1 ;;
      esac
      out=$out$value
    done
    printf '%s\n' "$out$line"
  done < "$template" > "$target"
done
)";

// PgBouncer 1.18 reads its users again when it is told to, and only then. A restart instead would cut its clients off.
// It is the container's own process, so that signals reach it; a hangup before it listens for one is ignored.
constexpr char kPoolerScript[] = R"(#!/bin/sh
# pooler.sh SETTINGS USERS
set -eu
trap '' HUP
users=$(cat "$2")
(
  while sleep 2 && kill -0 $$ 2>/dev/null; do
    now=$(cat "$2") || continue
    if [ "$now" != "$users" ]; then
      users=$now
      kill -HUP $$
    fi
  done
) &
exec pgbouncer "$1"
)";

// Patroni puts its configuration together of the files of a folder, and reads them again at a hangup. In the moment
// before it listens for one it is lost, so that a change is told three times in a minute; a file that has not changed
// makes no difference. Of a Secret of before the file there is none until the kubelet has brought the newest.
constexpr char kPatroniScript[] = R"(#!/bin/sh
# patroni.sh FOLDER LOGINS
set -eu
trap '' HUP
until [ -s "$2" ]; do sleep 1; done
ln -sf "$2" "$1/logins.yml"
logins=$(cat "$2")
(
  left=0
  while sleep 2 && kill -0 $$ 2>/dev/null; do
    now=$(cat "$2") || continue
    if [ "$now" != "$logins" ]; then
      logins=$now
      left=30
    fi
    case $left in
      10 | 20 | 30) kill -HUP $$ ;;
    esac
    [ $left -eq 0 ] || left=$((left - 1))
  done
) &
exec patroni "$1"
)";

// Beside the server, since PostgreSQL can say what it has written but not what the disk still takes, and says nothing
// once that is full. It writes nothing itself. As the first process of its container it would not heed SIGTERM without
// a handler, and hold every end of the pod up.
constexpr char kVolumeProgram[] = R"(# volume.py ADDRESS PORT PATH
# Tells how full the file system of PATH is: GET /healthz, in the words of the state service.
import http.server
import json
import os
import signal
import socket
import sys

address, port, path = sys.argv[1:]


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in address else socket.AF_INET


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 5

    def do_GET(self):
        if self.path != "/healthz":
            return self.send_error(404)
        found = os.statvfs(path)
        volume = {"capacity_bytes": found.f_frsize * found.f_blocks, "available_bytes": found.f_frsize * found.f_bavail}
        body = json.dumps({"volumes": [volume]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
Server((address, int(port)), Handler).serve_forever()
)";

// Runs once, when a new cluster has been made, as the superuser over the socket. Of both logins: credentials that a
// former database has left may name either (login_job.cc). Of the servers' own Patroni makes those in use.
constexpr char kApplicationSql[] = R"(\set QUIET on
SET log_min_error_statement = panic;
SET synchronous_commit = local;
CREATE ROLE {user} LOGIN PASSWORD '{{file:{password}}}';
ALTER ROLE {user} SET lock_timeout = '5s';
ALTER ROLE {user} SET statement_timeout = '30s';
ALTER ROLE {user} SET idle_in_transaction_session_timeout = '10s';
CREATE ROLE {second} LOGIN PASSWORD '{{file:{second-password}}}' IN ROLE {user};
ALTER ROLE {second} SET role = '{user}';
ALTER ROLE {second} SET lock_timeout = '5s';
ALTER ROLE {second} SET statement_timeout = '30s';
ALTER ROLE {second} SET idle_in_transaction_session_timeout = '10s';
CREATE DATABASE {database} OWNER {user};
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
)";

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

std::string Path(const char* variable, const char* file) {
  return std::string("{{env:").append(variable).append("}}/").append(file);
}

// The names and passwords are in kPatroniLoginsFile.
Json PatroniLogins() {
  Json logins;
  // verify-ca and not verify-full: members find each other by address. Who holds a certificate of this authority is one
  // of them.
  for (const ServerRole& role : kServerRoles) {
    logins[role.name] = {{"sslmode", "verify-ca"}, {"sslrootcert", Path("TLS_DIR", kAuthorityFile)}};
  }
  return logins;
}

Json PatroniSettings(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  const api::PostgresBackend& postgres = *backend.postgres();
  const std::string bin = PathIn(PathIn("/usr/lib/postgresql", postgres.version), "bin");
  Json settings = {
      {"scope", PatroniScope(cluster.name, backend.name)},
      {"kubernetes",
       {{"namespace", cluster.ns},
        {"use_endpoints", false},
        {"scope_label", kPatroniScopeLabel},
        {"role_label", kPatroniRoleLabel},
        {"labels", BackendSelector(cluster.name, backend.name, kPostgresRole)}}},
      {"restapi",
       {{"certfile", Path("TLS_DIR", kCertificateFile)},
        {"keyfile", Path("TLS_DIR", kKeyFile)},
        {"cafile", Path("TLS_DIR", kAuthorityFile)},
        // Reading is open, acting takes a certificate of the authority.
        {"verify_client", "optional"}}},
      // The authority is checked, the name is not: members call each other by address.
      {"ctl",
       {{"insecure", true},
        {"cacert", Path("TLS_DIR", kAuthorityFile)},
        {"certfile", Path("TLS_DIR", kCertificateFile)},
        {"keyfile", Path("TLS_DIR", kKeyFile)}}},
      {"bootstrap",
       {{"dcs", DynamicConfiguration(cluster, postgres)},
        {"initdb", Json::array({"data-checksums",
                                {{"encoding", "UTF8"}},
                                {{"locale", "C.UTF-8"}},
                                {{"auth-host", "scram-sha-256"}},
                                {{"auth-local", "scram-sha-256"}}})},
        {"post_init",
         PathIn(bin, "psql --no-psqlrc -v ON_ERROR_STOP=1 -f ").append(Path("PATRONI_DIR", "application.sql"))}}},
      {"postgresql",
       {{"bin_dir", bin},
        {"use_unix_socket", true},
        {"use_unix_socket_repl", false},
        // A new replica does not wait for the checkpoint that would come by itself within minutes.
        {"basebackup", Json::array({Json::object({{"checkpoint", "fast"}})})},
        {"authentication", PatroniLogins()},
        {"pg_hba",
         {"local all all scram-sha-256",
          std::string("hostssl replication ")
              .append(kReplication.users[0])
              .append(",")
              .append(kReplication.users[1])
              .append(" all scram-sha-256"),
          "hostssl all all all scram-sha-256"}},
        // A replica that cannot be rewound is copied anew instead of staying broken.
        {"remove_data_directory_on_rewind_failure", true},
        {"parameters",
         {{"unix_socket_directories", "{{env:RUN_DIR}}"},
          {"ssl", "on"},
          {"ssl_cert_file", Path("TLS_DIR", kCertificateFile)},
          {"ssl_key_file", Path("TLS_DIR", kKeyFile)},
          {"ssl_ca_file", Path("TLS_DIR", kAuthorityFile)},
          {"password_encryption", "scram-sha-256"},
          {"log_parameter_max_length", 0},
          {"log_parameter_max_length_on_error", 0}}}}},
  };
  if (postgres.restore) AddRestore(&settings["bootstrap"]);
  return settings;
}

std::string PgBouncerSettings(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  const bool session = backend.postgres()->pooler_mode == api::PoolerMode::kSession;
  const std::vector<std::pair<std::string, std::string>> settings = {
      {"listen_addr", "{{env:POD_IP}}"},
      {"listen_port", std::to_string(kPoolerPort)},
      {"unix_socket_dir", ""},
      {"pool_mode", session ? "session" : "transaction"},
      {"max_client_conn", std::to_string(kMaximumClients)},
      {"default_pool_size", std::to_string(kPoolSize)},
      {"auth_type", "scram-sha-256"},
      // Mounted, not filled in: it follows the Secret, and pooler.sh has it read again.
      {"auth_file", Path("CREDENTIALS_DIR", kPoolerUsers)},
      {"client_tls_sslmode", "require"},
      {"client_tls_cert_file", Path("TLS_DIR", kCertificateFile)},
      {"client_tls_key_file", Path("TLS_DIR", kKeyFile)},
      {"server_tls_sslmode", "verify-full"},
      {"server_tls_ca_file", Path("TLS_DIR", kAuthorityFile)},
      // After a failover the primary is tried again every second, and a peer that is gone is noticed.
      {"server_connect_timeout", "3"},
      {"server_login_retry", "1"},
      {"tcp_keepalive", "1"},
      {"tcp_user_timeout", "5000"},
      {"ignore_startup_parameters", "extra_float_digits,options"},
      {"log_connections", "0"},
      {"log_disconnections", "0"},
  };
  std::string text = "[databases]\n";
  text.append(kDatabase)
      .append(" = host=")
      .append(ServiceHost(PrimaryServiceName(cluster.name, backend.name), cluster.ns))
      .append(" port=")
      .append(std::to_string(kPostgresPort))
      .append("\n\n[pgbouncer]\n");
  for (const auto& [name, value] : settings) text.append(name).append(" = ").append(value).append("\n");
  return text;
}

std::string BackendPath(const api::BackendSpec& backend, const char* part) {
  return PathIn(PathIn(kBackendsPath, backend.name), part);
}

}  // namespace

Json DynamicConfiguration(const api::StorageCluster& cluster, const api::PostgresBackend& postgres) {
  Json parameters = {{"wal_log_hints", "on"}};
  for (const auto& [name, value] : postgres.parameters) parameters[name] = value;
  if (postgres.backup) {
    parameters["archive_mode"] = "on";
    // A server that ends tries three times more to archive: one whose repository is gone must not take minutes for it.
    // An object store may be that slow.
    const int patience = postgres.backup->s3 ? kObjectStoreTimeoutSeconds : kRepositoryTimeoutSeconds;
    parameters["archive_command"] = std::string("pgbackrest --stanza=")
                                        .append(kStanza)
                                        .append(" --io-timeout=")
                                        .append(std::to_string(patience))
                                        .append(" archive-push %p");
    // What is younger may not be in the repository yet.
    parameters["archive_timeout"] = kArchiveTimeoutSeconds;
  }
  const bool synchronous = postgres.synchronous_standbys > 0;
  Json dynamic = {
      {"ttl", kTtlSeconds},
      {"loop_wait", kLoopWaitSeconds},
      {"retry_timeout", kRetryTimeoutSeconds},
      {"maximum_lag_on_failover", cluster.spec.failover.max_lag_bytes},
      {"synchronous_mode", synchronous},
      // An API server that cannot be reached is no reason to stop a primary that all members see.
      {"failsafe_mode", true},
      {"postgresql", {{"use_pg_rewind", true}, {"use_slots", true}, {"parameters", std::move(parameters)}}}};
  if (synchronous) dynamic["synchronous_node_count"] = postgres.synchronous_standbys;
  return dynamic;
}

Json MergedDynamicConfiguration(Json live, const Json& desired) {
  static const Json::json_pointer pointer("/postgresql/parameters");
  if (live.contains(pointer) && live.at(pointer).is_object()) {
    for (const std::string& name : api::AllowedPostgresParameters()) {
      if (!desired.at(pointer).contains(name)) live[pointer].erase(name);
    }
    for (const char* name : {"archive_mode", "archive_command", "archive_timeout"}) {
      if (!desired.at(pointer).contains(name)) live[pointer].erase(name);
    }
  }
  if (!live.is_object()) live = Json::object();
  live.merge_patch(desired);
  return live;
}

Json StaticPatroniSettings(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  Json settings = PatroniSettings(cluster, backend);
  settings.erase("bootstrap");
  return settings;
}

Json PostgresServiceSettings(const api::StorageCluster& cluster, const api::BackendSpec& backend, const Login& login) {
  if (backend.external_postgres() != nullptr) {
    Json settings = {{"type", "postgres"}, {"url_file", BackendPath(backend, "url")}};
    if (backend.compression) settings["compression"] = *backend.compression;
    return settings;
  }
  const auto url = [&](const std::string& service, int port) {
    std::string text("postgresql://");
    return text.append(login.user())
        .append("@")
        .append(ServiceHost(service, cluster.ns))
        .append(":")
        .append(std::to_string(port))
        .append("/")
        .append(kDatabase)
        .append("?sslmode=verify-full&sslrootcert=")
        .append(BackendPath(backend, "tls/"))
        .append(kAuthorityFile);
  };
  const std::string primary = url(PrimaryServiceName(cluster.name, backend.name), kPostgresPort);
  Json settings = {{"type", "postgres"},
                   {"url", primary},
                   {"password_file", BackendPath(backend, "credentials/").append(login.password())}};
  const api::PostgresBackend& postgres = *backend.postgres();
  if (postgres.pooler_instances > 0) {
    settings["url"] = url(PoolerName(cluster.name, backend.name), kPoolerPort);
    settings["direct_url"] = primary;
    if (postgres.pooler_mode == api::PoolerMode::kTransaction) settings["pooled"] = true;
  }
  if (backend.compression) settings["compression"] = *backend.compression;
  return settings;
}

Json BackendFiles(const api::StorageCluster& cluster, const api::BackendSpec& backend, const Login& login) {
  Json files = Json::object();
  const Json migrate = {{"backends", {{backend.name, PostgresServiceSettings(cluster, backend, login)}}},
                        {"stores", {{"main", {{"backend", backend.name}}}}}};
  files["migrate.yaml"] = config::ToYaml(migrate);
  if (backend.postgres() == nullptr) return files;
  std::string sql = Replaced(backend.postgres()->restore ? kRestoredSql : kApplicationSql, "{user}", kApplicationUser);
  sql = Replaced(std::move(sql), "{database}", kDatabase);
  sql = Replaced(std::move(sql), "{second}", kSecondApplicationUser);
  sql = Replaced(std::move(sql), "{second-password}", kSecondApplicationPassword);
  files["application.sql"] = Replaced(std::move(sql), "{password}", kApplicationPassword);
  files["patroni.yml"] = config::ToYaml(PatroniSettings(cluster, backend));
  files["patroni.sh"] = kPatroniScript;
  files["pgbouncer.ini"] = PgBouncerSettings(cluster, backend);
  files["pooler.sh"] = kPoolerScript;
  files["render.sh"] = kRenderScript;
  AddLoginFiles(&files);
  if (backend.postgres()->autogrow) files[kVolumeScript] = kVolumeProgram;
  AddBackupFiles(cluster, backend, &files);
  return files;
}

}  // namespace holdfast::resources
