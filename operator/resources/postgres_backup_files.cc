// The configuration of pgBackRest, and what the containers run it with.
#include "base/time/duration.h"
#include "operator/resources/names.h"
#include "operator/resources/postgres.h"
#include "operator/resources/postgres_backup.h"

namespace holdfast::resources {
namespace {

using kube::Json;

// One program for both kinds of pod, because both keep `pgbackrest server` and answer the operator. Whoever asks shows
// a certificate of the cluster's authority.
//
// What became of the last attempts is kept beside the repository, so that a container that ends leaves a failure behind
// and not silence. A tick that has its backup gets no other, whoever asks and how often.
constexpr char kProgram[] = R"(# backup.py member|repository ADDRESS PORT
import datetime
import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

role, address, port = sys.argv[1:]
STANZA = "main"
TICK = "holdfast-tick"
TLS = os.environ["TLS_DIR"]
CREDENTIALS = os.environ.get("CREDENTIALS_DIR", "")
RUN = os.environ.get("RUN_DIR", "")
REPOSITORY = os.environ.get("REPOSITORY_DIR", "")
environment = dict(os.environ)
lock = threading.Lock()
running = None
ended = {}


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def write(path, text):
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".new", path)


# pgBackRest logs in with what libpq finds there, so that new passwords need no restart.
def follow_logins():
    seen = None
    while True:
        try:
            with open(os.path.join(CREDENTIALS, "patroni-logins.yml")) as file:
                text = file.read()
            if text != seen:
                login = json.loads(text)["postgresql"]["authentication"]["superuser"]
                write(os.path.join(RUN, "backup-service.conf"),
                      "[holdfast]\nuser=%s\npassword=%s\n" % (login["username"], login["password"]))
                seen = text
        except (OSError, ValueError, KeyError) as error:
            print("backup.py: logins:", type(error).__name__, file=sys.stderr, flush=True)
        time.sleep(2)


# How the server fares with its archive.
def archiver():
    command = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--host", RUN, "--dbname", "postgres", "--command",
               "SET statement_timeout = '3s'; SELECT to_jsonb(a) - 'stats_reset' || jsonb_build_object('failing', "
               "coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)) FROM pg_stat_archiver a"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=5)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else None


def state_file():
    return os.path.join(REPOSITORY, "attempts.json")


def keep_ended():
    try:
        write(state_file(), json.dumps(ended))
    except OSError as error:
        print("backup.py: cannot keep what became of it:", error.strerror, file=sys.stderr, flush=True)


def begin_with_ended():
    try:
        with open(state_file()) as file:
            ended.update(json.load(file))
    except (OSError, ValueError):
        return
    for attempt in ended.values():
        if attempt.get("ended") is None:
            attempt.update(ended=now(), ok=False, failures=attempt.get("failures", 0) + 1,
                           message="the container ended meanwhile")


def info():
    done = subprocess.run(["pgbackrest", "--stanza=" + STANZA, "--output=json", "--log-level-console=error", "info"],
                          env=environment, capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        raise RuntimeError(reason(done.stdout + done.stderr, done.returncode))
    return json.loads(done.stdout)


def reason(output, code):
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR:" in line] or lines[-1:]
    said = errors[0][errors[0].find("ERROR:") + len("ERROR:"):].strip() if errors else ""
    return (said or "pgbackrest ended with code %d" % code)[:500]


def has_tick(tick):
    return any(backup.get("annotation", {}).get(TICK) == tick
               for stanza in info() for backup in stanza.get("backup", []) if not backup.get("error"))


def run(words, seconds):
    process = subprocess.Popen(["pgbackrest", "--stanza=" + STANZA] + words, env=environment, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        output = process.communicate(timeout=seconds)[0]
        message = "" if process.returncode == 0 else reason(output, process.returncode)
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            output = process.communicate(timeout=30)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            output = process.communicate()[0]
        message = "it was not done after %d s, the timeout" % seconds
    print(output, end="", flush=True)
    return message


# An attempt that was begun ends, whatever happens: else it would be under way for as long as the container lives.
def carry_out(attempt, words, seconds):
    try:
        message = run(words, seconds)
    except Exception as error:
        message = "pgbackrest cannot be run: %s" % str(error)[:400]
        print("backup.py:", message, file=sys.stderr, flush=True)
    with lock:
        end(attempt, message)


# Under the lock.
def end(attempt, message):
    global running
    attempt.update(ended=now(), ok=not message, message=message, failures=attempt["failures"] + 1 if message else 0)
    running = None
    keep_ended()


def begin(wish):
    global running
    command, tick, kind = wish["command"], wish.get("tick", ""), wish.get("type", "")
    if command not in ("stanza-create", "backup") or kind not in ("", "full", "diff"):
        return 400, {"message": "unknown command"}
    words = ["--type=" + kind, "--annotation=%s=%s" % (TICK, tick), "backup"] if command == "backup" else [command]
    seconds = int(wish.get("seconds", 3600))
    with lock:
        if running is not None:
            return 409, {"message": "something is under way"}
        if command == "backup" and tick and has_tick(tick):
            return 200, {"message": "it is there"}
        attempt = {"command": command, "type": kind, "tick": tick, "started": now(), "ended": None, "ok": None,
                   "message": "", "failures": ended.get(command, {}).get("failures", 0)}
        ended[command] = running = attempt
        keep_ended()
        try:
            threading.Thread(target=carry_out, args=(attempt, words, seconds)).start()
        except RuntimeError as error:
            end(attempt, "pgbackrest cannot be run: %s" % error)
        return 202, {"message": "begun"}


def tell():
    if role == "member":
        return {"archiver": archiver()}
    told = {"running": running, "attempts": ended}
    try:
        told["info"] = info()
    except (RuntimeError, ValueError, OSError, subprocess.SubprocessError) as error:
        told["error"] = str(error)[:500]
    return told


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
    daemon_threads = True


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 30

    def answer(self, code, document):
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def guarded(self, what):
        try:
            code, document = what()
        except Exception as error:
            code, document = 500, {"message": "%s: %s" % (type(error).__name__, str(error)[:300])}
        self.answer(code, document)

    def do_GET(self):
        if self.path != "/state":
            return self.send_error(404)
        self.guarded(lambda: (200, tell()))

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != "/begin" or role != "repository" or length > 65536:
            return self.send_error(404)
        self.guarded(lambda: begin(json.loads(self.rfile.read(length))))

    def log_message(self, *_):
        pass


def main():
    if role == "member":
        environment.update(PGSERVICE="holdfast", PGSERVICEFILE=os.path.join(RUN, "backup-service.conf"))
        threading.Thread(target=follow_logins, daemon=True).start()
    if role == "repository":
        os.makedirs(os.path.join(REPOSITORY, "repository"), 0o750, exist_ok=True)
        begin_with_ended()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(TLS, "tls.crt"), os.path.join(TLS, "tls.key"))
    context.load_verify_locations(os.path.join(TLS, "ca.crt"))
    context.verify_mode = ssl.CERT_REQUIRED
    server = Server((address, int(port)), Handler)
    # The handshake is for the thread of the connection: who does not finish it keeps nobody else waiting.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    keeper = subprocess.Popen(["pgbackrest", "server"], env=environment)

    def stop(*_):
        keeper.terminate()
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.exit(keeper.wait() or 1)


main()
)";

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

void AddRepository(bool encrypted, Lines* lines) {
  lines->emplace_back("repo1-path", PathIn(kRepositoryPath, "repository"));
  if (!encrypted) return;
  lines->emplace_back("repo1-cipher-type", "aes-256-cbc");
  lines->emplace_back("repo1-cipher-pass", std::string("{{file:").append(kPassphraseFile).append("}}"));
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
  AddRepository(backup.passphrase.has_value(), &global);
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
  Lines global = Common();
  AddRepository(backend.postgres()->restore->passphrase.has_value(), &global);
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
  if (postgres.backup || postgres.restore) (*files)[kBackupProgram] = kProgram;
}

void AddRestore(Json* bootstrap) {
  bootstrap->erase("initdb");
  (*bootstrap)["method"] = "restore";
  (*bootstrap)["restore"] = {{"command", "sh /etc/holdfast-templates/restore.sh " + PathIn(kPostgresPath, "data")},
                             {"no_params", true},
                             {"keep_existing_recovery_conf", true}};
}

}  // namespace holdfast::resources
