// The configuration of pgBackRest, and the script that restores.
#include "base/time/duration.h"
#include "operator/resources/names.h"
#include "operator/resources/postgres.h"
#include "operator/resources/postgres_backup.h"

namespace holdfast::resources {
namespace {

using kube::Json;

// Rendered here and not by the init container: what pods are made of does not depend on how the database began.
constexpr char kRestoreScript[] = R"(#!/bin/sh
# restore.sh DATA
set -eu
sh /etc/holdfast-templates/render.sh /etc/holdfast-templates/source.conf "$PATRONI_DIR/source.conf"
mkdir -p -m 0700 "$1"
exec pgbackrest --config="$PATRONI_DIR/source.conf" --stanza=main --pg1-path="$1" {options} \
  --recovery-option="restore_command=pgbackrest --config=$PATRONI_DIR/source.conf --stanza=main --pg1-path=$1 archive-get %f \"%p\"" \
  restore
)";

std::string Tls(const char* file) {
  return std::string("{{env:TLS_DIR}}/").append(file);
}

using Lines = std::vector<std::pair<std::string, std::string>>;

// `name`: pgBackRest's prefix, "repo1" or "pg2".
void AddHost(const std::string& name, const std::string& host, Lines* lines) {
  const auto add = [&](const char* option, std::string value) { lines->emplace_back(name + option, std::move(value)); };
  add("-host", host);
  add("-host-type", "tls");
  add("-host-port", std::to_string(kBackRestPort));
  add("-host-ca-file", Tls(kAuthorityFile));
  add("-host-cert-file", Tls(kCertificateFile));
  add("-host-key-file", Tls(kKeyFile));
  add("-host-config", PathIn(kBackRestPath, kBackRestFile));
}

// Its peers have the same certificate; its common name is the first of the names (secrets.cc).
void AddServer(const api::StorageCluster& cluster, const api::BackendSpec& backend, Lines* lines) {
  lines->insert(
      lines->end(),
      {{"tls-server-address", "{{env:POD_IP}}"},
       {"tls-server-port", std::to_string(kBackRestPort)},
       {"tls-server-ca-file", Tls(kAuthorityFile)},
       {"tls-server-cert-file", Tls(kCertificateFile)},
       {"tls-server-key-file", Tls(kKeyFile)},
       {"tls-server-auth",
        ServiceHost(PrimaryServiceName(cluster.name, backend.name), cluster.ns).append("=").append(kStanza)}});
}

Lines Common() {
  return {
      {"lock-path", "/tmp/pgbackrest"}, {"spool-path", "/tmp/pgbackrest-spool"},
      {"log-level-file", "off"},        {"log-level-console", "info"},
      {"log-timestamp", "n"},           {"compress-type", "zst"},
  };
}

std::string Credential(const char* file) {
  return std::string("{{file:").append(file).append("}}");
}

void AddS3(const api::S3Repository& s3, Lines* lines) {
  std::string_view host = s3.endpoint;
  host.remove_prefix(std::string_view("https://").size());
  const std::size_t colon = host.find(':');
  const std::string_view port = colon == std::string_view::npos ? "443" : host.substr(colon + 1);
  lines->insert(lines->end(), {{"repo1-type", "s3"},
                               {"repo1-path", std::string("/").append(s3.prefix)},
                               {"repo1-s3-endpoint", std::string(host.substr(0, colon))},
                               {"repo1-storage-port", std::string(port)},
                               {"repo1-s3-bucket", s3.bucket},
                               {"repo1-s3-region", s3.region},
                               {"repo1-s3-uri-style", s3.path_style ? "path" : "host"},
                               {"repo1-s3-key", Credential(kS3AccessKeyFile)},
                               {"repo1-s3-key-secret", Credential(kS3SecretKeyFile)},
                               // A database has a thousand small files, and each object costs a request.
                               {"repo1-bundle", "y"}});
  if (!s3.authority) return;
  lines->emplace_back("repo1-storage-ca-file", std::string("{{env:CREDENTIALS_DIR}}/").append(kS3AuthorityFile));
}

void AddRepository(const std::optional<api::S3Repository>& s3, bool encrypted, Lines* lines) {
  if (s3) {
    AddS3(*s3, lines);
  } else {
    lines->emplace_back("repo1-path", PathIn(kRepositoryPath, "repository"));
  }
  if (!encrypted) return;
  lines->emplace_back("repo1-cipher-type", "aes-256-cbc");
  lines->emplace_back("repo1-cipher-pass", Credential(kPassphraseFile));
}

std::string Configuration(const Lines& global, const Lines& stanza) {
  std::string text = "[global]\n";
  const auto add = [&](const Lines& lines) {
    for (const auto& [name, value] : lines) text.append(name).append("=").append(value).append("\n");
  };
  add(global);
  text.append("\n[").append(kStanza).append("]\n");
  add(stanza);
  return text;
}

Lines OwnServer(const std::string& prefix) {
  return {{prefix + "-path", PathIn(kPostgresPath, "data")},
          {prefix + "-port", std::to_string(kPostgresPort)},
          {prefix + "-socket-path", kPostgresRunPath}};
}

std::string MemberConfiguration(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  Lines global = Common();
  AddHost("repo1", ServiceHost(BackupName(cluster.name, backend.name), cluster.ns), &global);
  AddServer(cluster, backend, &global);
  return Configuration(global, OwnServer("pg1"));
}

std::string RepositoryConfiguration(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  const api::PostgresBackup& backup = *backend.postgres()->backup;
  Lines global = Common();
  AddRepository(backup.s3, backup.passphrase.has_value(), &global);
  global.emplace_back("repo1-retention-full", std::to_string(backup.full_retention));
  if (backup.differential_retention > 0) {
    global.emplace_back("repo1-retention-diff", std::to_string(backup.differential_retention));
  }
  // A checkpoint that is spread out would keep a backup waiting for minutes.
  global.emplace_back("start-fast", "y");
  AddServer(cluster, backend, &global);
  Lines servers;
  const std::string pods = ServiceHost(PodsServiceName(cluster.name, backend.name), cluster.ns);
  for (std::int64_t i = 0; i < backend.postgres()->instances; ++i) {
    const std::string prefix = "pg" + std::to_string(i + 1);
    AddHost(prefix, PodName(BackendName(cluster.name, backend.name), i).append(".").append(pods), &servers);
    const Lines server = OwnServer(prefix);
    servers.insert(servers.end(), server.begin(), server.end());
  }
  return Configuration(global, servers);
}

std::string SourceConfiguration(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  Lines global = Common();
  AddHost("repo1", ServiceHost(SourceName(cluster.name, backend.name), cluster.ns), &global);
  return Configuration(global, {});
}

std::string SourceRepositoryConfiguration(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  const api::PostgresRestore& restore = *backend.postgres()->restore;
  Lines global = Common();
  AddRepository(restore.s3, restore.passphrase.has_value(), &global);
  AddServer(cluster, backend, &global);
  return Configuration(global, {});
}

// "2026-11-23 06:00:00.5+00", by which pgBackRest also finds the backup to begin with.
std::string TargetTime(const std::string& rfc3339) {
  const auto time = ParseTimestamp(rfc3339);
  if (!time.ok()) return rfc3339;
  std::string text = FormatTimestamp(*time);
  text.replace(text.find('T'), 1, " ");
  return text.replace(text.find('Z'), 1, "+00");
}

std::string RestoreScript(const api::PostgresRestore& restore) {
  std::string options = "--type=default";
  if (!restore.to_time.empty()) {
    options = "--type=time --target=\"" + TargetTime(restore.to_time) + "\" --target-action=promote";
  }
  std::string script = kRestoreScript;
  const std::string_view hole = "{options}";
  return script.replace(script.find(hole), hole.size(), options);
}

}  // namespace

const char kRestoredSql[] = R"(\set QUIET on
SET log_min_error_statement = panic;
SET synchronous_commit = local;
SELECT format('ALTER ROLE %I NOLOGIN PASSWORD NULL', rolname)
  FROM pg_roles WHERE rolname IN ('postgres_b', 'replicator_b', 'rewinder_b') \gexec
ALTER ROLE {user} LOGIN PASSWORD '{{file:{password}}}';
ALTER ROLE {second} LOGIN PASSWORD '{{file:{second-password}}}';
)";

void AddBackupFiles(const api::StorageCluster& cluster, const api::BackendSpec& backend, Json* files) {
  const api::PostgresBackend& postgres = *backend.postgres();
  if (postgres.backup) {
    (*files)[kBackRestFile] = MemberConfiguration(cluster, backend);
    (*files)["repository.conf"] = RepositoryConfiguration(cluster, backend);
  }
  if (postgres.restore) {
    (*files)["source.conf"] = SourceConfiguration(cluster, backend);
    (*files)["source-repository.conf"] = SourceRepositoryConfiguration(cluster, backend);
    (*files)["restore.sh"] = RestoreScript(*postgres.restore);
  }
  if (postgres.backup || postgres.restore) (*files)[kBackupProgram] = std::string(kBackupProgramText);
}

void AddRestore(Json* bootstrap) {
  bootstrap->erase("initdb");
  (*bootstrap)["method"] = "restore";
  (*bootstrap)["restore"] = {{"command", "sh /etc/holdfast-templates/restore.sh " + PathIn(kPostgresPath, "data")},
                             {"no_params", true},
                             {"keep_existing_recovery_conf", true}};
}

}  // namespace holdfast::resources
