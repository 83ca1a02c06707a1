// One member of a Patroni cluster as a pod would run it: Debian's Patroni 3.0.2 with PostgreSQL 15 in a container of
// its own, over a data folder that outlives the container, on a loopback address of its own with the ports a pod has
// (8008, 5432). Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "tests/loopback/reservation.h"
#include "tests/patroni/container.h"
#include "tests/patroni/partition_proxy.h"
#include "tests/postgres/sandbox.h"
#include "tests/postgres/session.h"

namespace holdfast::patroni_cluster {

// What Patroni is told when the cluster is made. The times are its own defaults.
struct Settings {
  std::string ns = "default";
  std::string cluster = "demo";
  std::string backend = "db";
  int members = 2;
  // How many standbys a commit waits for; 0: none, asynchronous.
  int synchronous_standbys = 1;
  int ttl = 30;
  int loop_wait = 10;
  int retry_timeout = 10;
  // A primary that all members see stays one when the API server cannot be reached.
  bool failsafe = false;
  // Puts a proxy in every way to and from a member, so that it can be cut off.
  bool partitionable = false;

  std::string scope() const { return cluster + "-" + backend; }
};

inline constexpr std::uint16_t kPostgresPort = 5432;
inline constexpr std::uint16_t kRestPort = 8008;
inline constexpr char kSuperuser[] = "postgres";
inline constexpr char kPassword[] = "test";

class Member {
 public:
  Member(const Settings& settings, int ordinal, std::uint16_t api_port);
  // Ends it and removes its data.
  ~Member();

  const std::string& name() const { return name_; }
  const std::string& address() const { return address_.text(); }

  Status StartContainer();
  bool HasContainer() const { return container_ != nullptr; }
  Container& container() { return *container_; }
  void ForgetContainer() { container_.reset(); }

  // From the API server and from its peers; clients that have its own port still reach it. Partitionable ones only.
  void Cut();
  void Heal();
  // Where a client is that no partition concerns.
  std::uint16_t client_port() const;
  std::string Url() const;
  Result<postgres_servers::Session> Connect() const { return postgres_servers::Session::Open(Url()); }
  // Of Patroni and of PostgreSQL.
  std::string Log() const;

 private:
  void WriteConfiguration(const Settings& settings, std::uint16_t api_port);
  void RemoveSharedMemory() const;

  const std::string name_;
  const loopback::ReservedAddress address_;
  const bool partitionable_;
  std::unique_ptr<postgres_servers::Sandbox> sandbox_;
  std::unique_ptr<PartitionProxy> api_;       // out, to the API server
  std::unique_ptr<PartitionProxy> rest_;      // in
  std::unique_ptr<PartitionProxy> postgres_;  // in, peers
  std::unique_ptr<Container> container_;
};

}  // namespace holdfast::patroni_cluster
