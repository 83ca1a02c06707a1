#include "tests/redis/redis_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/time/deadline.h"
#include "tests/unit/base/http/certificates.h"

namespace holdfast::redis_servers {
namespace {

using postgres_servers::RunProgram;
using postgres_servers::Sandbox;
using postgres_servers::ServerProcess;
using postgres_servers::Tail;

constexpr const char* kServerProgram = "/usr/bin/redis-server";
constexpr const char* kCliProgram = "/usr/bin/redis-cli";
constexpr std::chrono::seconds kStartTimeout{60};  // with an append-only file, on a busy machine
constexpr std::chrono::seconds kStopTimeout{30};
constexpr std::chrono::seconds kReplicaTimeout{30};
constexpr std::chrono::milliseconds kPoll{10};

std::string Read(const std::filesystem::path& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// "name:value" of INFO.
std::string InfoField(const std::string& info, const std::string& name) {
  const std::size_t begin = info.find(name + ":");
  if (begin == std::string::npos) return {};
  const std::size_t value = begin + name.size() + 1;
  return info.substr(value, info.find_first_of("\r\n", value) - value);
}

}  // namespace

Result<std::unique_ptr<RedisServer>> RedisServer::Start(const ServerOptions& options) {
  HOLDFAST_ASSIGN_OR_RETURN(auto sandbox, Sandbox::Make());
  std::unique_ptr<RedisServer> server(new RedisServer(std::move(sandbox), options, false));
  if (options.tls) server->WriteCertificates();
  HOLDFAST_RETURN_IF_ERROR(server->WriteConfiguration());
  HOLDFAST_RETURN_IF_ERROR(server->StartAgain());
  return server;
}

Result<std::unique_ptr<RedisServer>> RedisServer::StartSentinel(const Parameters& configuration) {
  HOLDFAST_ASSIGN_OR_RETURN(auto sandbox, Sandbox::Make());
  ServerOptions options;
  options.parameters = configuration;
  std::unique_ptr<RedisServer> server(new RedisServer(std::move(sandbox), std::move(options), true));
  HOLDFAST_RETURN_IF_ERROR(server->WriteConfiguration());
  HOLDFAST_RETURN_IF_ERROR(server->StartAgain());
  return server;
}

RedisServer::~RedisServer() {
  Kill();
}

void RedisServer::WriteCertificates() {
  if (!options_.certificates_of.empty()) {
    for (const char* name : {"ca.pem", "server.pem", "server.key", "client.pem", "client.key"}) {
      sandbox_->Write(name, Read(options_.certificates_of / name));
    }
    return;
  }
  const http::Certificate authority = http::MakeAuthority("Redis of a test");
  const http::Certificate leaf = http::MakeLeaf(authority, "localhost", "IP:127.0.0.1,DNS:localhost");
  const http::Certificate client = http::MakeLeaf(authority, "client of a test", "");
  sandbox_->Write("ca.pem", authority.pem());
  sandbox_->Write("server.pem", leaf.pem());
  sandbox_->Write("server.key", leaf.key_pem());
  sandbox_->Write("client.pem", client.pem());
  sandbox_->Write("client.key", client.key_pem());
}

Status RedisServer::WriteConfiguration() {
  // By the account that the server will run as.
  HOLDFAST_RETURN_IF_ERROR(RunProgram(*sandbox_, {"/usr/bin/mkdir", data_folder().string()}));
  Parameters parameters = {
      {"bind", "127.0.0.1"}, {"protected-mode", "no"}, {"daemonize", "no"}, {"dir", data_folder().string()}};
  if (!sentinel_) {
    parameters.insert(parameters.end(), {{"unixsocket", socket_file().string()},
                                         {"unixsocketperm", "777"},
                                         {"save", "\"\""},
                                         {"appendonly", options_.append_only ? "yes" : "no"},
                                         {"appendfsync", "always"},
                                         {"repl-diskless-sync-delay", "0"},
                                         {"repl-timeout", "10"}});
  }
  if (!options_.max_memory.empty()) {
    parameters.insert(parameters.end(), {{"maxmemory", options_.max_memory}, {"maxmemory-policy", "noeviction"}});
  }
  if (options_.acl) {
    parameters.insert(parameters.end(), {{"user", "default off"},
                                         {"user", fmt::format("{} on >{} ~* &* +@all", kUser, kPassword)},
                                         {"masteruser", kUser},
                                         {"masterauth", kPassword}});
  }
  if (options_.tls) {
    parameters.insert(parameters.end(), {{"tls-ca-cert-file", ca_file().string()},
                                         {"tls-cert-file", (folder() / "server.pem").string()},
                                         {"tls-key-file", (folder() / "server.key").string()},
                                         {"tls-auth-clients", options_.tls_clients ? "yes" : "no"}});
  }
  if (options_.replica_of != 0) {
    parameters.emplace_back("replicaof", fmt::format("127.0.0.1 {}", options_.replica_of));
  }
  parameters.insert(parameters.end(), options_.parameters.begin(), options_.parameters.end());
  std::string text;
  for (const auto& [name, value] : parameters) text.append(name).append(" ").append(value).append("\n");
  sandbox_->Write("redis.conf", text);
  return {};
}

Status RedisServer::StartAgain() {
  process_.reset();
  const std::string number = std::to_string(port());
  std::vector<std::string> words{kServerProgram, (folder() / "redis.conf").string(), "--port",
                                 options_.tls ? std::string("0") : number};
  if (options_.tls) words.insert(words.end(), {"--tls-port", number});
  // Left to itself it is the port and 10000, which may be no port and is not reserved.
  if (InCluster()) words.insert(words.end(), {"--cluster-port", std::to_string(cluster_port())});
  if (sentinel_) words.emplace_back("--sentinel");
  HOLDFAST_ASSIGN_OR_RETURN(process_, ServerProcess::Start(*sandbox_, words, folder() / "log"));
  return AwaitReady();
}

bool RedisServer::InCluster() const {
  return std::any_of(options_.parameters.begin(), options_.parameters.end(),
                     [](const auto& parameter) { return parameter.first == "cluster-enabled"; });
}

Status RedisServer::AwaitReady() {
  const Deadline deadline = Deadline::After(kStartTimeout);
  while (true) {
    if (Cli({"PING"}).ok()) return {};
    if (!process_->Running() || deadline.Expired()) {
      return Error(
          ErrorCode::kDeadlineExceeded,
          fmt::format("Redis {}; its log ends: {}", process_->Running() ? "is not ready in time" : "ended at its start",
                      Tail(folder() / "log")));
    }
    std::this_thread::sleep_for(kPoll);
  }
}

Result<std::string> RedisServer::Cli(const std::vector<std::string>& words) const {
  std::vector<std::string> command{kCliProgram, "-e", "--no-auth-warning"};
  if (sentinel_) {
    command.insert(command.end(), {"-h", "127.0.0.1", "-p", std::to_string(port())});
  } else {
    command.insert(command.end(), {"-s", socket_file().string()});
  }
  if (options_.acl) command.insert(command.end(), {"--user", kUser, "--pass", kPassword});
  command.insert(command.end(), words.begin(), words.end());
  HOLDFAST_RETURN_IF_ERROR(RunProgram(*sandbox_, command));
  std::string output = Read(folder() / "program.log");
  while (output.ends_with('\n')) output.pop_back();
  return output;
}

Status RedisServer::EmptyData() {
  if (Running()) return Error(ErrorCode::kFailedPrecondition, "the server runs");
  for (const auto& entry : std::filesystem::directory_iterator(data_folder())) std::filesystem::remove_all(entry);
  return {};
}

Status RedisServer::Stop() {
  if (!Running()) return {};
  process_->Signal(SIGTERM);
  if (process_->Wait(Deadline::After(kStopTimeout))) return {};
  return Error(ErrorCode::kDeadlineExceeded, "Redis does not stop");
}

void RedisServer::Kill() {
  process_.reset();
}

void RedisServer::Freeze() {
  if (process_) process_->Signal(SIGSTOP);
}

void RedisServer::Thaw() {
  if (process_) process_->Signal(SIGCONT);
}

Status RedisServer::AwaitReplica() const {
  const Deadline deadline = Deadline::After(kReplicaTimeout);
  std::string wanted;
  while (!deadline.Expired()) {
    const Result<std::string> info = Cli({"INFO", "replication"});
    if (info.ok() && InfoField(*info, "master_link_status") == "up") {
      if (wanted.empty()) {
        // Asked of the master, through the same Unix-socket-less door that replicas use.
        std::vector<std::string> ask{kCliProgram,
                                     "-e",
                                     "--no-auth-warning",
                                     "-h",
                                     InfoField(*info, "master_host"),
                                     "-p",
                                     InfoField(*info, "master_port")};
        if (options_.acl) ask.insert(ask.end(), {"--user", kUser, "--pass", kPassword});
        ask.insert(ask.end(), {"INFO", "replication"});
        HOLDFAST_RETURN_IF_ERROR(RunProgram(*sandbox_, ask));
        wanted = InfoField(Read(folder() / "program.log"), "master_repl_offset");
      }
      const std::string has = InfoField(*info, "slave_repl_offset");
      if (!has.empty() && !wanted.empty() && std::stoll(has) >= std::stoll(wanted)) return {};
    }
    std::this_thread::sleep_for(kPoll);
  }
  return Error(ErrorCode::kDeadlineExceeded,
               fmt::format("the replica is not in step; its log ends: {}", Tail(folder() / "log")));
}

std::string RedisServer::Url(int database) const {
  return fmt::format("{}://{}127.0.0.1:{}/{}", options_.tls ? "rediss" : "redis",
                     options_.acl ? fmt::format("{}:{}@", kUser, kPassword) : std::string(), port(), database);
}

std::string RedisServer::SocketUrl(int database) const {
  return fmt::format("unix://{}{}?db={}", options_.acl ? fmt::format("{}:{}@", kUser, kPassword) : std::string(),
                     socket_file().string(), database);
}

std::string RedisServer::Log() const {
  return Read(folder() / "log");
}

}  // namespace holdfast::redis_servers
