#include "tests/bench/library/filled_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "service/backends/memory/memory_backend.h"
#include "service/backends/postgres/postgres_backend.h"
#include "service/backends/rocksdb/rocksdb_backend.h"
#include "service/storage/key_space.h"
#include "tests/bench/library/measuring.h"
#include "tests/postgres/entry_schema.h"

namespace holdfast::bench {
namespace {

using storage::Backend;
using storage::Operation;

constexpr std::size_t kBatch = 5'000;
constexpr std::chrono::seconds kConnecting{20};

std::string ValueOf(std::size_t i) {
  std::string value = fmt::format(R"({{"window":{},"count":{},"sum":{}}})", i, i * 7919 % 1000, i * 104729 % 1'000'003);
  value.resize(kValueBytes, ' ');
  return value;
}

}  // namespace

Operation PutOf(std::size_t i) {
  const storage::KeySpace keys = storage::KeySpace("main", "default").In(storage::Room::kKeys);
  return Operation::Put(keys.Wrap(fmt::format("window:{:09}", i)), ValueOf(i));
}

void Fill(Backend& backend, std::size_t entries) {
  for (std::size_t first = 0; first < entries; first += kBatch) {
    std::vector<Operation> puts;
    for (std::size_t i = first; i < std::min(entries, first + kBatch); ++i) puts.push_back(PutOf(i));
    std::vector<storage::OperationResult> results(puts.size());
    backend.Execute(puts, results, Deadline::Infinite());
    for (const auto& result : results) Check(result.status.ok());
  }
}

void WithEachBackend(const std::string& folder,
                     const std::function<void(const std::string&, const std::shared_ptr<Backend>&)>& measure) {
  measure("memory", storage::MakeMemoryBackend({}));
  {
    storage::RocksDbOptions options;
    options.path = folder + "/rocksdb";
    auto rocksdb = storage::OpenRocksDbBackend(options);
    Check(rocksdb.ok());
    measure("rocksdb", std::move(rocksdb).value());
  }
  postgres_servers::ServerOptions durable;
  durable.durable = true;
  auto server = postgres_servers::Server::Start(durable);
  Check(server.ok());
  const postgres_servers::FreshDatabase database = postgres_servers::MigratedDatabase(**server);
  storage::PostgresOptions options;
  options.url = database.Url();
  auto postgres = storage::OpenPostgresBackend(options);
  Check(postgres.ok() && (*postgres)->CheckHealth(Deadline::After(kConnecting)).ok());
  measure("postgresql", std::move(postgres).value());
}

}  // namespace holdfast::bench
