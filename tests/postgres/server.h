// A real PostgreSQL 15 server of the test's own: private data folder with checksums, a port of its own on 127.0.0.1,
// a Unix socket beside the data, nothing shared with an installed cluster. Gone, with its folder, when the object goes
// and when the test dies in whatever way.
//
//   auto primary = Server::Start({.tls = true}).value();
//   auto replica = Server::StartReplica(*primary, {.name = "replica_1"}).value();
//   primary->Kill();
//   replica->Promote();
//
// Control (Stop, Kill, Freeze ...) from one thread at a time; Url, Connect, port from any.
#pragma once

#include <atomic>
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
#include "tests/postgres/session.h"
#include "tests/postgres/template_folder.h"

namespace holdfast::postgres_servers {

using Parameters = std::vector<std::pair<std::string, std::string>>;

struct ServerOptions {
  // Certificates of an authority of its own, for 127.0.0.1 and localhost; plain TCP is refused then.
  bool tls = false;
  // fsync and full_page_writes on: for tests that speak about durability. Off, kill -9 of the server loses nothing
  // either (the kernel has the pages); only a power cut would.
  bool durable = false;
  Parameters parameters;  // postgresql.conf, after our own
};

struct ReplicaOptions {
  // application_name and replication slot: lower case, digits, underscores.
  std::string name = "replica_1";
  Parameters parameters;
};

struct Login {
  std::string user = kSuperuser;
  std::string password = kPassword;
};

enum class StopMode {
  kSmart,      // SIGTERM: waits for the clients to leave
  kFast,       // SIGINT: rolls transactions back, closes connections (57P01)
  kImmediate,  // SIGQUIT: crash recovery at the next start
};

class Server {
 public:
  // Ready to serve at return.
  static Result<std::unique_ptr<Server>> Start(const ServerOptions& options = {});
  // A streaming replica (pg_basebackup, a slot of its own on the primary), caught up at return. It speaks TLS when its
  // primary does, with the same authority. The primary has to run; it may stop later.
  static Result<std::unique_ptr<Server>> StartReplica(Server& primary, const ReplicaOptions& options = {});
  // Ends it, frozen or not.
  ~Server();

  std::uint16_t port() const { return port_.number(); }
  pid_t pid() const { return process_ ? process_->pid() : 0; }
  const std::filesystem::path& folder() const { return sandbox_->folder(); }
  std::filesystem::path data_folder() const { return folder() / "data"; }
  // PEM of the authority; only with TLS.
  std::filesystem::path ca_file() const { return folder() / "ca.pem"; }

  // postgresql://user:password@127.0.0.1:port/database, with sslmode=verify-full and sslrootcert with TLS.
  std::string Url(const std::string& database = "postgres", const Login& login = {}) const;
  // The same through the Unix socket, for the superuser; no TLS, no password.
  std::string SocketUrl(const std::string& database = "postgres") const;
  // A superuser's session through the Unix socket.
  Result<Session> Connect(const std::string& database = "postgres") const;
  // A new database, empty or a copy of one that nobody is connected to; its name is unlike any other of this server.
  Result<std::string> CreateDatabase(const std::string& copy_of = "template1");

  // The same port and data at every start.
  Status StartAgain();
  // False at the deadline (30 s): still running.
  Status Stop(StopMode mode = StopMode::kFast);
  Status Restart(StopMode mode = StopMode::kFast);
  bool Running() { return process_ && process_->Running(); }
  // SIGKILL to the postmaster and every server process, as when a container is killed. Reaped at return.
  void Kill();
  // SIGSTOP and SIGCONT to all of them: the machine that does not answer but whose connections stand.
  void Freeze();
  void Thaw();

  // Makes a replica a primary; writable at return.
  Status Promote();
  // Streams from another server from now on; makes its slot there when it is missing.
  Status Follow(Server& primary);
  // On a primary: COMMIT waits for `count` of these replicas. No names: for none.
  Status SetSynchronous(const std::vector<std::string>& names, int count = 1);
  // Waits until this replica has replayed what the primary had written when asked; 30 s.
  Status CatchUp(const Server& primary);

  // On a primary: from now on no replica gets anything more, while the connections stand; as when the network between
  // drops every packet. For good: the processes that send are stopped.
  Status CutReplication();

  // ALTER SYSTEM and reload.
  Status SetParameter(const std::string& name, const std::string& value);
  // Everything it has logged since it was made, over all starts.
  std::string Log() const;

 private:
  Server(std::unique_ptr<Sandbox> sandbox, bool tls) : sandbox_(std::move(sandbox)), tls_(tls) {}

  Status WriteCertificates();
  Status WriteConfiguration(const ServerOptions& options);
  Status AwaitReady();
  void RemoveSharedMemory();

  std::unique_ptr<Sandbox> sandbox_;
  const bool tls_;
  // Held while it is down as well: it comes back to where its clients look for it.
  const loopback::ReservedPort port_;
  std::string name_;  // as a replica
  std::unique_ptr<ServerProcess> process_;
  std::atomic<int> databases_{0};
};

}  // namespace holdfast::postgres_servers
