// How the suite gets at a backend: what every backend under test has to provide. A further backend adds a harness and
// one INSTANTIATE line in backends.cc.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "base/time/clock.h"
#include "service/storage/backend.h"

namespace holdfast::storage::conformance {

// One backend with everything it stands on, fresh and empty. Removed without a trace when the harness goes.
class Harness {
 public:
  virtual ~Harness() = default;
  virtual Backend& backend() = 0;
  // The clock the backend reads.
  virtual ManualClock& clock() = 0;
  // Closes the backend and opens it again on what it left behind; false where nothing survives.
  virtual bool Reopen() = 0;
};

struct BackendUnderTest {
  std::string name;
  // With these limits and otherwise the backend's defaults.
  std::function<std::unique_ptr<Harness>(const Limits& limits)> make;
};
inline void PrintTo(const BackendUnderTest& backend, std::ostream* out) {
  *out << backend.name;
}

BackendUnderTest MemoryUnderTest();
// With every value packed that can be.
BackendUnderTest CompressedMemoryUnderTest();
BackendUnderTest RocksDbUnderTest();
// Without the cache of entries: every get decodes what stands in the database.
BackendUnderTest UncachedRocksDbUnderTest();
// Acknowledges without waiting for the disk, and keeps few entries in memory; for tests of many operations.
BackendUnderTest RelaxedRocksDbUnderTest();
// Each on a fresh database of a server that the test program started.
BackendUnderTest PostgresUnderTest();
// The same over TLS (verify-full), and through PgBouncer in transaction mode.
BackendUnderTest PostgresTlsUnderTest();
BackendUnderTest PostgresPgBouncerUnderTest();
// With LZ4, and values beside the table as soon as they can be.
BackendUnderTest CompressedPostgresUnderTest();
// On a redis-server that the test program started, whose acknowledged writes are on its disk.
BackendUnderTest RedisUnderTest();
// The same over TLS as a user of an ACL, and beside another instance, so that every change goes through the stream.
BackendUnderTest RedisTlsUnderTest();
BackendUnderTest RedisSharedUnderTest();
// With every value packed that can be.
BackendUnderTest RedisCompressedUnderTest();
// On a master with two replicas that three sentinels name, one of which has to be in step.
BackendUnderTest RedisSentinelUnderTest();
// On a Redis Cluster of three masters with a replica each, over which single keys are spread; and the same with all
// keys of a namespace in one place.
BackendUnderTest RedisClusterUnderTest();
BackendUnderTest RedisClusterNamespaceUnderTest();
// The one given behind a small cache in memory; `shared`: as one that other processes write to.
BackendUnderTest TieredUnderTest(const std::string& name, const BackendUnderTest& record, bool shared = false);
// Behind another as its cache.
BackendUnderTest TieredOverUnderTest(const std::string& name, const BackendUnderTest& cache,
                                     const BackendUnderTest& record, bool shared = false);
// Of a backend that keeps what this one has beside its values.
Limits OfCopies(const Limits& limits);
// Behind a queue of writes in the second; with a delay several writes of a key become one.
BackendUnderTest WriteBehindUnderTest(const std::string& name, const BackendUnderTest& record,
                                      const BackendUnderTest& queue, std::chrono::milliseconds delay = {});
// The first as primary, the second as its secondary.
BackendUnderTest FailoverUnderTest(const std::string& name, const BackendUnderTest& primary,
                                   const BackendUnderTest& secondary);
// By a clock that outlives it.
using ReplicaMaker = std::unique_ptr<Harness>(const Limits& limits, ManualClock& clock);
ReplicaMaker MemoryOnClock;
ReplicaMaker RocksDbOnClock;
// On three of these as its replicas, one of which may be gone.
BackendUnderTest ReplicatedUnderTest(const std::string& name, ReplicaMaker* replica,
                                     std::optional<std::size_t> gone = std::nullopt);
// On the move from one backend to another, in one of its phases as the API spells them (service/dual_write/phase.h),
// which it keeps.
BackendUnderTest MemoryToRocksDbUnderTest(const std::string& phase);
BackendUnderTest RocksDbToPostgresUnderTest(const std::string& phase);

}  // namespace holdfast::storage::conformance
