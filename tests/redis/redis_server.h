// A real redis-server of the test's own: private folder, a port of its own on 127.0.0.1, a Unix socket beside the data,
// nothing shared with an installed one. Gone, with its folder, when the object goes and when the test dies in whatever
// way.
//
//   auto server = RedisServer::Start({.tls = true}).value();
//   server->Kill();
//   server->StartAgain();
//
// Control (Stop, Kill, Freeze ...) from one thread at a time; Url, port from any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result/result.h"
#include "tests/loopback/reservation.h"
#include "tests/postgres/sandbox.h"
#include "tests/postgres/server_process.h"

namespace holdfast::redis_servers {

using Parameters = std::vector<std::pair<std::string, std::string>>;

// The ACL user that servers with `acl` know, and its password.
inline constexpr const char* kUser = "holdfast";
inline constexpr const char* kPassword = "only-for-tests";

struct ServerOptions {
  // Certificates of an authority of its own, for 127.0.0.1 and localhost; plain TCP is refused then.
  bool tls = false;
  bool tls_clients = false;  // clients have to show a certificate (client.pem, client.key)
  // The default user is off, kUser may do everything.
  bool acl = false;
  // With `tls`: certificates and authority of another server, by its folder; servers that trust each other.
  std::filesystem::path certificates_of;
  bool append_only = false;      // appendfsync always: kill -9 loses nothing
  std::string max_memory;        // "8mb"; with noeviction
  Parameters parameters;         // redis.conf, after our own: {"min-replicas-to-write", "1"}
  std::uint16_t replica_of = 0;  // a port on 127.0.0.1
};

class RedisServer {
 public:
  // Ready to serve at return; a replica may still be loading from its master (AwaitReplica).
  static Result<std::unique_ptr<RedisServer>> Start(const ServerOptions& options = {});
  // A sentinel; `configuration` is what follows our own in its file: {"sentinel", "monitor main 127.0.0.1 6379 2"}.
  static Result<std::unique_ptr<RedisServer>> StartSentinel(const Parameters& configuration);
  // Ends it, frozen or not.
  ~RedisServer();

  std::uint16_t port() const { return port_.number(); }
  // Of the bus, with cluster-enabled.
  std::uint16_t cluster_port() const { return cluster_port_.number(); }
  pid_t pid() const { return process_ ? process_->pid() : 0; }
  const std::filesystem::path& folder() const { return sandbox_->folder(); }
  std::filesystem::path data_folder() const { return folder() / "data"; }
  std::filesystem::path socket_file() const { return folder() / "redis.sock"; }
  // PEM; only with TLS.
  std::filesystem::path ca_file() const { return folder() / "ca.pem"; }
  std::filesystem::path client_certificate_file() const { return folder() / "client.pem"; }
  std::filesystem::path client_key_file() const { return folder() / "client.key"; }

  // redis://127.0.0.1:port/database, rediss:// with TLS, with user and password where there is an ACL.
  std::string Url(int database = 0) const;
  // The same through the Unix socket, without TLS.
  std::string SocketUrl(int database = 0) const;

  // What redis-cli prints for these words, over the Unix socket, as a user who may do everything; an Error when the
  // server cannot be asked or says an error.
  Result<std::string> Cli(const std::vector<std::string>& words) const;

  // The same port and data at every start.
  Status StartAgain();
  // The data folder emptied, as when a volume is lost; the server is not running.
  Status EmptyData();
  // SIGTERM. An Error at the deadline (30 s): still running.
  Status Stop();
  bool Running() { return process_ && process_->Running(); }
  // SIGKILL. Reaped at return.
  void Kill();
  // SIGSTOP and SIGCONT: the machine that does not answer but whose connections stand.
  void Freeze();
  void Thaw();
  // Waits until this replica has all that its master had written when asked; 30 s.
  Status AwaitReplica() const;
  // Everything it has logged since it was made, over all starts.
  std::string Log() const;

 private:
  RedisServer(std::unique_ptr<postgres_servers::Sandbox> sandbox, ServerOptions options, bool sentinel)
      : sandbox_(std::move(sandbox)), options_(std::move(options)), sentinel_(sentinel) {}

  void WriteCertificates();
  // redis-server writes into its file (sentinels, CONFIG REWRITE): only before the first start.
  Status WriteConfiguration();
  bool InCluster() const;
  Status AwaitReady();

  std::unique_ptr<postgres_servers::Sandbox> sandbox_;
  const ServerOptions options_;
  const bool sentinel_;
  // Held while it is down as well: it comes back to where its clients look for it.
  const loopback::ReservedPort port_;
  const loopback::ReservedPort cluster_port_;
  std::unique_ptr<postgres_servers::ServerProcess> process_;
};

}  // namespace holdfast::redis_servers
