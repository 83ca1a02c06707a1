#include "tests/postgres/server.h"

#include <sys/shm.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "fmt/format.h"
#include "tests/unit/base/http/certificates.h"

namespace holdfast::postgres_servers {
namespace {

constexpr std::chrono::seconds kStartTimeout{60};  // with recovery, on a busy machine
constexpr std::chrono::seconds kStopTimeout{30};
constexpr std::chrono::milliseconds kPoll{10};

std::string Read(const std::filesystem::path& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string ConfigurationLine(const std::string& name, const std::string& value) {
  std::string quoted;
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted += c;
    quoted += c;
  }
  return fmt::format("{} = '{}'\n", name, quoted);
}

Status Timeout(const std::string& what, const Server& server) {
  return Error(ErrorCode::kDeadlineExceeded, fmt::format("{}; its log ends: {}", what, Tail(server.folder() / "log")));
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  HOLDFAST_ASSIGN_OR_RETURN(auto sandbox, Sandbox::Make());
  std::unique_ptr<Server> server(new Server(std::move(sandbox), options.tls));
  HOLDFAST_RETURN_IF_ERROR(CopyTemplate(*server->sandbox_, server->data_folder()));
  if (options.tls) HOLDFAST_RETURN_IF_ERROR(server->WriteCertificates());
  HOLDFAST_RETURN_IF_ERROR(server->WriteConfiguration(options));
  HOLDFAST_RETURN_IF_ERROR(server->StartAgain());
  return server;
}

Result<std::unique_ptr<Server>> Server::StartReplica(Server& primary, const ReplicaOptions& options) {
  HOLDFAST_ASSIGN_OR_RETURN(auto sandbox, Sandbox::Make());
  std::unique_ptr<Server> replica(new Server(std::move(sandbox), primary.tls_));
  replica->name_ = options.name;
  const std::string target = fmt::format("host={} port={} user={} application_name={}", primary.folder().string(),
                                         primary.port(), kSuperuser, options.name);
  HOLDFAST_RETURN_IF_ERROR(
      RunProgram(*replica->sandbox_, {PostgresProgram("pg_basebackup"), "--pgdata", replica->data_folder().string(),
                                      "--wal-method=stream", "--checkpoint=fast", "--no-sync", "--write-recovery-conf",
                                      "--create-slot", "--slot", options.name, "--dbname", target}));
  if (primary.tls_) {
    for (const char* name : {"ca.pem", "server.pem", "server.key"}) {
      replica->sandbox_->Write(name, Read(primary.folder() / name));
    }
  }
  // Durable or not is in the primary's file, which came with the data; the port and the sockets are set anew.
  ServerOptions own;
  own.tls = primary.tls_;
  own.durable = Read(primary.data_folder() / "postgresql.conf").find("fsync = 'off'") == std::string::npos;
  own.parameters = options.parameters;
  HOLDFAST_RETURN_IF_ERROR(replica->WriteConfiguration(own));
  HOLDFAST_RETURN_IF_ERROR(replica->StartAgain());
  HOLDFAST_RETURN_IF_ERROR(replica->CatchUp(primary));
  return replica;
}

Server::~Server() {
  if (Running()) {
    Thaw();
    process_->Signal(SIGQUIT);
    process_->Wait(Deadline::After(kStopTimeout));
  }
  Kill();
  RemoveSharedMemory();
}

Status Server::WriteCertificates() {
  const http::Certificate authority = http::MakeAuthority("PostgreSQL of a test");
  const http::Certificate leaf = http::MakeLeaf(authority, "localhost", "IP:127.0.0.1,DNS:localhost");
  sandbox_->Write("ca.pem", authority.pem());
  sandbox_->Write("server.pem", leaf.pem());
  sandbox_->Write("server.key", leaf.key_pem());
  return {};
}

Status Server::WriteConfiguration(const ServerOptions& options) {
  Parameters parameters = {{"listen_addresses", "127.0.0.1"},
                           {"unix_socket_directories", folder().string()},
                           {"shared_buffers", "32MB"},
                           // Neither leaves a segment behind when the server is killed.
                           {"dynamic_shared_memory_type", "mmap"},
                           {"wal_level", "replica"},
                           {"max_wal_senders", "10"},
                           {"max_replication_slots", "10"},
                           {"log_line_prefix", "%m [%p] %q%u@%d "},
                           {"timezone", "UTC"},
                           {"log_timezone", "UTC"}};
  if (!options.durable) {
    parameters.insert(parameters.end(), {{"fsync", "off"}, {"full_page_writes", "off"}});
  }
  if (options.tls) {
    parameters.insert(parameters.end(), {{"ssl", "on"},
                                         {"ssl_ca_file", (folder() / "ca.pem").string()},
                                         {"ssl_cert_file", (folder() / "server.pem").string()},
                                         {"ssl_key_file", (folder() / "server.key").string()}});
  }
  parameters.insert(parameters.end(), options.parameters.begin(), options.parameters.end());
  std::string text;
  for (const auto& [name, value] : parameters) text += ConfigurationLine(name, value);
  sandbox_->Write("data/postgresql.conf", text);
  sandbox_->Write("data/pg_hba.conf", fmt::format("local all all trust\n"
                                                  "local replication all trust\n"
                                                  "{} all all 127.0.0.1/32 scram-sha-256\n",
                                                  options.tls ? "hostssl" : "host"));
  return {};
}

Status Server::StartAgain() {
  if (Running()) return Error(ErrorCode::kFailedPrecondition, "the server runs already");
  HOLDFAST_ASSIGN_OR_RETURN(process_, ServerProcess::Start(*sandbox_,
                                                           {PostgresProgram("postgres"), "-D", data_folder().string(),
                                                            "-p", fmt::format("{}", port())},
                                                           folder() / "log"));
  return AwaitReady();
}

Status Server::AwaitReady() {
  const Deadline deadline = Deadline::After(kStartTimeout);
  while (true) {
    if (Connect().ok()) return {};
    if (!process_->Running()) return Timeout("PostgreSQL ended at its start", *this);
    if (deadline.Expired()) return Timeout("PostgreSQL is not ready in time", *this);
    std::this_thread::sleep_for(kPoll);
  }
}

Status Server::Stop(StopMode mode) {
  if (!Running()) return {};
  process_->Signal(mode == StopMode::kSmart ? SIGTERM : mode == StopMode::kFast ? SIGINT : SIGQUIT);
  if (process_->Wait(Deadline::After(kStopTimeout))) return {};
  return Timeout("PostgreSQL does not stop", *this);
}

Status Server::Restart(StopMode mode) {
  HOLDFAST_RETURN_IF_ERROR(Stop(mode));
  return StartAgain();
}

void Server::Kill() {
  process_.reset();
}

void Server::Freeze() {
  if (process_) process_->SignalAll(SIGSTOP);
}

void Server::Thaw() {
  if (process_) process_->SignalAll(SIGCONT);
}

// After SIGKILL the small System V segment that guards the data folder stays: its number stands in postmaster.pid.
void Server::RemoveSharedMemory() {
  std::ifstream file(data_folder() / "postmaster.pid");
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    constexpr int kSharedMemoryLine = 7;
    unsigned long key = 0;
    int id = -1;
    if (number == kSharedMemoryLine && std::istringstream(line) >> key >> id) shmctl(id, IPC_RMID, nullptr);
  }
}

std::string Server::Url(const std::string& database, const Login& login) const {
  const std::string tls = tls_ ? "verify-full&sslrootcert=" + ca_file().string() : "disable";
  return fmt::format("postgresql://{}:{}@127.0.0.1:{}/{}?sslmode={}", login.user, login.password, port(), database,
                     tls);
}

std::string Server::SocketUrl(const std::string& database) const {
  return fmt::format("postgresql://{}@/{}?host={}&port={}", kSuperuser, database, folder().string(), port());
}

Result<Session> Server::Connect(const std::string& database) const {
  return Session::Open(SocketUrl(database));
}

Result<std::string> Server::CreateDatabase(const std::string& copy_of) {
  HOLDFAST_ASSIGN_OR_RETURN(Session session, Connect());
  std::string name = fmt::format("test_{}", ++databases_);
  HOLDFAST_RETURN_IF_ERROR(session.Execute("CREATE DATABASE " + name + " TEMPLATE " + copy_of));
  return name;
}

Status Server::SetParameter(const std::string& name, const std::string& value) {
  HOLDFAST_ASSIGN_OR_RETURN(Session session, Connect());
  std::string line = ConfigurationLine(name, value);
  line.pop_back();
  // ALTER SYSTEM takes no place in a transaction, and two statements sent together would be one.
  HOLDFAST_RETURN_IF_ERROR(session.Execute("SET standard_conforming_strings = off"));
  HOLDFAST_RETURN_IF_ERROR(session.Execute("ALTER SYSTEM SET " + line));
  return session.Execute("SELECT pg_reload_conf()");
}

std::string Server::Log() const {
  return Read(folder() / "log");
}

}  // namespace holdfast::postgres_servers
