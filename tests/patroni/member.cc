#include "tests/patroni/member.h"

#include <fmt/format.h>
#include <sys/shm.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/postgres/server_process.h"

namespace holdfast::patroni_cluster {
namespace {

using Json = nlohmann::json;
using postgres_servers::Sandbox;

// Where PostgreSQL and Patroni themselves listen when proxies have the ports of the pod.
constexpr std::uint16_t kHiddenPostgresPort = 5433;
constexpr std::uint16_t kHiddenRestPort = 8009;

Json Parameters(const Sandbox& sandbox) {
  return {{"unix_socket_directories", sandbox.folder().string()},
          {"shared_buffers", "32MB"},
          {"max_connections", 50},
          {"max_wal_senders", 10},
          {"max_replication_slots", 10},
          {"dynamic_shared_memory_type", "mmap"},
          // Nothing here cuts the power, and what is killed leaves its pages with the kernel.
          {"fsync", "off"},
          {"wal_log_hints", "on"},
          {"log_timezone", "UTC"},
          {"timezone", "UTC"}};
}

}  // namespace

Member::Member(const Settings& settings, int ordinal, std::uint16_t api_port)
    : name_(fmt::format("{}-{}", settings.scope(), ordinal)),
      address_({kPostgresPort, kRestPort, kHiddenPostgresPort, kHiddenRestPort}),
      partitionable_(settings.partitionable),
      sandbox_(Sandbox::Make().value()) {
  if (partitionable_) {
    api_ = std::make_unique<PartitionProxy>(Endpoint{"127.0.0.1", 0}, Endpoint{"127.0.0.1", api_port});
    rest_ = std::make_unique<PartitionProxy>(Endpoint{address(), kRestPort}, Endpoint{address(), kHiddenRestPort});
    postgres_ =
        std::make_unique<PartitionProxy>(Endpoint{address(), kPostgresPort}, Endpoint{address(), kHiddenPostgresPort});
  }
  WriteConfiguration(settings, partitionable_ ? api_->port() : api_port);
}

Member::~Member() {
  container_.reset();
  RemoveSharedMemory();
}

// YAML, of which JSON is a part.
void Member::WriteConfiguration(const Settings& settings, std::uint16_t api_port) {
  const std::string api = fmt::format("http://127.0.0.1:{}", api_port);
  const Json kubeconfig = {
      {"apiVersion", "v1"},
      {"kind", "Config"},
      {"current-context", "test"},
      {"clusters", Json::array({{{"name", "test"}, {"cluster", {{"server", api}}}}})},
      {"users", Json::array({{{"name", "test"}, {"user", Json::object()}}})},
      {"contexts", Json::array({{{"name", "test"}, {"context", {{"cluster", "test"}, {"user", "test"}}}}})}};
  sandbox_->Write("kubeconfig", kubeconfig.dump());

  const bool synchronous = settings.synchronous_standbys > 0;
  const Json dynamic = {
      {"ttl", settings.ttl},
      {"loop_wait", settings.loop_wait},
      {"retry_timeout", settings.retry_timeout},
      {"failsafe_mode", settings.failsafe},
      {"synchronous_mode", synchronous},
      {"synchronous_node_count", synchronous ? settings.synchronous_standbys : 1},
      {"postgresql", {{"use_pg_rewind", true}, {"use_slots", true}, {"parameters", Parameters(*sandbox_)}}}};
  const Json superuser = {{"username", kSuperuser}, {"password", kPassword}};
  const Json configuration = {
      {"scope", settings.scope()},
      {"name", name_},
      {"kubernetes",
       {{"namespace", settings.ns},
        {"context", "test"},
        {"use_endpoints", false},
        {"scope_label", "cluster-name"},
        {"role_label", "role"},
        {"labels",
         {{"app.kubernetes.io/managed-by", "holdfast-operator"},
          {"storage.holdfast.dev/cluster", settings.cluster},
          {"storage.holdfast.dev/backend", settings.backend}}}}},
      {"restapi",
       {{"listen", fmt::format("{}:{}", address(), partitionable_ ? kHiddenRestPort : kRestPort)},
        {"connect_address", fmt::format("{}:{}", address(), kRestPort)}}},
      {"bootstrap",
       {{"dcs", dynamic},
        {"initdb", Json::array({{{"encoding", "UTF8"}}, {{"locale", "C"}}, "data-checksums", "no-sync"})}}},
      {"postgresql",
       {{"listen", fmt::format("{}:{}", address(), client_port())},
        {"connect_address", fmt::format("{}:{}", address(), kPostgresPort)},
        {"data_dir", (sandbox_->folder() / "data").string()},
        {"bin_dir", std::filesystem::path(postgres_servers::PostgresProgram("postgres")).parent_path().string()},
        {"basebackup", Json::array({"no-sync", {{"checkpoint", "fast"}}})},
        {"pgpass", (sandbox_->folder() / "pgpass").string()},
        {"authentication", {{"superuser", superuser}, {"replication", superuser}, {"rewind", superuser}}},
        {"parameters", {{"unix_socket_directories", sandbox_->folder().string()}}},
        {"pg_hba", Json::array({"local all all trust", "host all all 127.0.0.0/8 scram-sha-256",
                                "host replication all 127.0.0.0/8 scram-sha-256"})}}},
      {"watchdog", {{"mode", "off"}}}};
  sandbox_->Write("patroni.yml", configuration.dump(1));
}

Status Member::StartContainer() {
  const std::string folder = sandbox_->folder().string();
  HOLDFAST_ASSIGN_OR_RETURN(container_, Container::Start(*sandbox_, {"/usr/bin/patroni", folder + "/patroni.yml"},
                                                         {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=" + folder,
                                                          "KUBECONFIG=" + folder + "/kubeconfig", "PYTHONUNBUFFERED=1",
                                                          "PYTHONDONTWRITEBYTECODE=1"},
                                                         sandbox_->folder() / "log"));
  return {};
}

void Member::Cut() {
  for (PartitionProxy* way : {api_.get(), rest_.get(), postgres_.get()}) way->Cut();
}

void Member::Heal() {
  for (PartitionProxy* way : {api_.get(), rest_.get(), postgres_.get()}) way->Heal();
}

std::uint16_t Member::client_port() const {
  return partitionable_ ? kHiddenPostgresPort : kPostgresPort;
}

std::string Member::Url() const {
  return fmt::format("postgresql://{}:{}@{}:{}/postgres?sslmode=disable", kSuperuser, kPassword, address(),
                     client_port());
}

std::string Member::Log() const {
  std::stringstream text;
  text << std::ifstream(sandbox_->folder() / "log").rdbuf();
  return text.str();
}

// A server that was killed leaves the small System V segment behind that guards its data folder; its number stands in
// postmaster.pid.
void Member::RemoveSharedMemory() const {
  std::ifstream file(sandbox_->folder() / "data" / "postmaster.pid");
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    constexpr int kSharedMemoryLine = 7;
    unsigned long key = 0;
    int id = -1;
    if (number == kSharedMemoryLine && std::istringstream(line) >> key >> id) shmctl(id, IPC_RMID, nullptr);
  }
}

}  // namespace holdfast::patroni_cluster
