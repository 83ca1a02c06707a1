// backup.py: what the containers of pgBackRest run.
#include "operator/resources/postgres_backup.h"

namespace holdfast::resources {

// One program for both kinds of pod, because both keep `pgbackrest server` and answer the operator. Whoever asks shows
// a certificate of the cluster's authority.
//
// What became of the last attempts is kept beside the repository, so that a container that ends leaves a failure behind
// and not silence. A tick that has its backup gets no other, whoever asks and how often.
const char kBackupProgramText[] = R"(# backup.py member|repository ADDRESS PORT
import datetime
import http.server
import json
import os
import re
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
UNREADABLE = 99  # pgBackRest's code for a repository that it cannot look into
TLS = os.environ["TLS_DIR"]
CREDENTIALS = os.environ.get("CREDENTIALS_DIR", "")
RUN = os.environ.get("RUN_DIR", "")
REPOSITORY = os.environ.get("REPOSITORY_DIR", "")
# Where credentials may change: what the configuration is made of, and where that is.
TEMPLATE = os.environ.get("REPOSITORY_TEMPLATE", "")
CONFIGURATION = os.environ.get("REPOSITORY_CONFIGURATION", "")
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


# Keys of an object store are changed now and then. pgBackRest reads its configuration anew for every command, and for
# every connection of a server.
def take_up_keys(seen):
    try:
        there = {}
        for name in os.listdir(CREDENTIALS):
            if not name.startswith("."):
                with open(os.path.join(CREDENTIALS, name)) as file:
                    there[name] = file.read()
        if there != seen:
            render = os.path.join(os.path.dirname(TEMPLATE), "render.sh")
            subprocess.run(["sh", render, TEMPLATE, CONFIGURATION + ".new"], env=environment, check=True, timeout=30)
            os.rename(CONFIGURATION + ".new", CONFIGURATION)
        return there
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print("backup.py: keys:", type(error).__name__, file=sys.stderr, flush=True)
        return seen


def follow_keys(seen):
    while True:
        time.sleep(2)
        seen = take_up_keys(seen)


# How the server fares with its archive.
def archiver():
    command = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--host", RUN, "--dbname", "postgres", "--command",
               "SET statement_timeout = '3s'; SELECT to_jsonb(a) - 'stats_reset' || jsonb_build_object('failing', "
               "coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false), 'waiting', (SELECT "
               "count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready')) FROM pg_stat_archiver a"]
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
    document = json.loads(done.stdout)
    for stanza in document:
        status = stanza.get("status", {})
        if status.get("code") == UNREADABLE:
            said = [repo["status"]["message"] for repo in stanza.get("repo", []) if repo["status"]["code"] == UNREADABLE]
            raise RuntimeError(shortened(said[0]) if said else status.get("message", "other"))
    return document


# Its first line, and of an object store's answer the code.
def shortened(text):
    answer = re.search(r"<Code>(\w{1,64})</Code>", text)
    return (text.split("\n")[0].rstrip(": ") + (": " + answer[1] if answer else ""))[:500]


def reason(output, code):
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR:" in line] or lines[-1:]
    said = errors[0][errors[0].find("ERROR:") + len("ERROR:"):].strip() if errors else ""
    if answer := re.search(r"<Code>(\w{1,64})</Code>", output):
        said = said.rstrip(": ") + ": " + answer[1]
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
    if not TEMPLATE:
        try:
            volume = os.statvfs(REPOSITORY)
            told["room"] = {"size": volume.f_blocks * volume.f_frsize, "free": volume.f_bavail * volume.f_frsize}
        except OSError:
            pass
    return told


# Nobody is to begin with a database before it is known that there is something to make it of. The last line is what the
# status of the cluster says.
def require_backup():
    try:
        there = [stanza for stanza in info() if stanza.get("backup")]
        why = "" if there else "there is no backup at all: is it another claim, bucket or prefix?"
    except (RuntimeError, ValueError, OSError, subprocess.SubprocessError) as error:
        why = str(error)
    if why:
        print("the repository to restore from cannot be used: " + why, flush=True)
        print("compare restoreFrom, with its passphraseSecretRef, with what the backups were made with", flush=True)
        sys.exit(1)


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
    if TEMPLATE:
        threading.Thread(target=follow_keys, args=(take_up_keys(None),), daemon=True).start()
    if role == "source":
        require_backup()
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

}  // namespace holdfast::resources
