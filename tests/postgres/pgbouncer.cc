#include "tests/postgres/pgbouncer.h"

#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "fmt/format.h"

namespace holdfast::postgres_servers {
namespace {

constexpr std::chrono::seconds kStartTimeout{30};
constexpr std::chrono::milliseconds kPoll{10};

std::string UserList(const std::vector<Login>& logins) {
  std::string text = fmt::format("\"{}\" \"{}\"\n", kSuperuser, kPassword);
  for (const Login& login : logins) text += fmt::format("\"{}\" \"{}\"\n", login.user, login.password);
  return text;
}

}  // namespace

Result<std::unique_ptr<PgBouncer>> PgBouncer::Start(const Server& server, const PgBouncerOptions& options) {
  HOLDFAST_ASSIGN_OR_RETURN(auto sandbox, Sandbox::Make());
  std::unique_ptr<PgBouncer> pgbouncer(new PgBouncer(std::move(sandbox)));
  const Sandbox& folder = *pgbouncer->sandbox_;
  const bool tls = std::filesystem::exists(server.ca_file());
  std::string text = fmt::format(
      "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\n"
      "unix_socket_dir =\npool_mode = {}\ndefault_pool_size = {}\nmax_client_conn = 1000\nauth_type = scram-sha-256\n"
      "auth_file = {}\nadmin_users = {}\nserver_tls_sslmode = {}\nignore_startup_parameters = extra_float_digits\n",
      server.port(), pgbouncer->port(), options.mode, options.pool_size,
      folder.Write("users", UserList(options.logins)).string(), kSuperuser, tls ? "verify-full" : "disable");
  if (tls) {
    std::stringstream authority;
    authority << std::ifstream(server.ca_file()).rdbuf();
    text += fmt::format("server_tls_ca_file = {}\n", folder.Write("ca.pem", authority.str()).string());
  }
  for (const auto& [name, value] : options.parameters) text += fmt::format("{} = {}\n", name, value);
  folder.Write("pgbouncer.ini", text);
  HOLDFAST_RETURN_IF_ERROR(pgbouncer->StartProcess());
  return pgbouncer;
}

PgBouncer::~PgBouncer() {
  Kill();
}

Status PgBouncer::StartProcess() {
  HOLDFAST_ASSIGN_OR_RETURN(
      process_,
      ServerProcess::Start(*sandbox_, {PostgresProgram("pgbouncer"), (sandbox_->folder() / "pgbouncer.ini").string()},
                           sandbox_->folder() / "log"));
  const Deadline deadline = Deadline::After(kStartTimeout);
  while (!Console().ok()) {
    if (!process_->Running() || deadline.Expired()) {
      return Error(ErrorCode::kInternal, "PgBouncer does not start: " + Log());
    }
    std::this_thread::sleep_for(kPoll);
  }
  return {};
}

std::string PgBouncer::Url(const std::string& database, const Login& login) const {
  return fmt::format("postgresql://{}:{}@127.0.0.1:{}/{}?sslmode=disable", login.user, login.password, port(),
                     database);
}

Result<Session> PgBouncer::Console() const {
  return Session::Open(Url("pgbouncer"));
}

Status PgBouncer::Restart() {
  Kill();
  return StartProcess();
}

void PgBouncer::Kill() {
  process_.reset();
}

void PgBouncer::Freeze() {
  if (process_) process_->Signal(SIGSTOP);
}

void PgBouncer::Thaw() {
  if (process_) process_->Signal(SIGCONT);
}

std::string PgBouncer::Log() const {
  return Tail(sandbox_->folder() / "log");
}

}  // namespace holdfast::postgres_servers
