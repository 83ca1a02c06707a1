#include "tests/conformance/suite.h"

namespace holdfast::storage::conformance {
namespace {

std::string Name(const testing::TestParamInfo<BackendUnderTest>& info) {
  return info.param.name;
}

}  // namespace

// One line for every backend and every composed store.
INSTANTIATE_TEST_SUITE_P(memory, Conformance, testing::Values(MemoryUnderTest(), CompressedMemoryUnderTest()), Name);
INSTANTIATE_TEST_SUITE_P(rocksdb, Conformance, testing::Values(RocksDbUnderTest(), UncachedRocksDbUnderTest()), Name);
INSTANTIATE_TEST_SUITE_P(postgres, Conformance,
                         testing::Values(PostgresUnderTest(), PostgresTlsUnderTest(), PostgresPgBouncerUnderTest(),
                                         CompressedPostgresUnderTest()),
                         Name);
INSTANTIATE_TEST_SUITE_P(redis, Conformance,
                         testing::Values(RedisUnderTest(), RedisTlsUnderTest(), RedisSharedUnderTest(),
                                         RedisCompressedUnderTest(), RedisSentinelUnderTest(), RedisClusterUnderTest(),
                                         RedisClusterNamespaceUnderTest()),
                         Name);

INSTANTIATE_TEST_SUITE_P(
    tiered, Conformance,
    testing::Values(TieredUnderTest("tiered_memory_memory", MemoryUnderTest()),
                    TieredUnderTest("tiered_memory_rocksdb", RocksDbUnderTest()),
                    TieredUnderTest("tiered_memory_postgres", PostgresUnderTest(), /*shared=*/true),
                    TieredUnderTest("tiered_memory_redis", RedisUnderTest(), /*shared=*/true),
                    TieredOverUnderTest("tiered_rocksdb_memory", RelaxedRocksDbUnderTest(), MemoryUnderTest()),
                    TieredOverUnderTest("tiered_redis_rocksdb", RedisUnderTest(), RelaxedRocksDbUnderTest()),
                    TieredOverUnderTest("tiered_redis_postgres", RedisUnderTest(), PostgresUnderTest(),
                                        /*shared=*/true)),
    Name);

INSTANTIATE_TEST_SUITE_P(
    write_behind, Conformance,
    testing::Values(WriteBehindUnderTest("tiered_memory_rocksdb_behind",
                                         TieredUnderTest("record", RelaxedRocksDbUnderTest()), RocksDbUnderTest()),
                    WriteBehindUnderTest("tiered_memory_rocksdb_back",
                                         TieredUnderTest("record", RelaxedRocksDbUnderTest()),
                                         RelaxedRocksDbUnderTest(), std::chrono::milliseconds{20}),
                    WriteBehindUnderTest("tiered_memory_memory_behind", TieredUnderTest("record", MemoryUnderTest()),
                                         MemoryUnderTest()),
                    WriteBehindUnderTest("tiered_memory_postgres_behind",
                                         TieredUnderTest("record", PostgresUnderTest(), /*shared=*/true),
                                         RelaxedRocksDbUnderTest())),
    Name);

INSTANTIATE_TEST_SUITE_P(
    failover, Conformance,
    testing::Values(FailoverUnderTest("failover_memory_memory", MemoryUnderTest(), MemoryUnderTest()),
                    FailoverUnderTest("failover_postgres_rocksdb", PostgresUnderTest(), RelaxedRocksDbUnderTest())),
    Name);

INSTANTIATE_TEST_SUITE_P(replicated, Conformance,
                         testing::Values(ReplicatedUnderTest("replicated_memory", MemoryOnClock),
                                         ReplicatedUnderTest("replicated_rocksdb", RocksDbOnClock),
                                         ReplicatedUnderTest("replicated_rocksdb_leader_gone", RocksDbOnClock,
                                                             /*gone=*/0),
                                         ReplicatedUnderTest("replicated_rocksdb_follower_gone", RocksDbOnClock,
                                                             /*gone=*/2)),
                         Name);

// In every phase of the migration.
INSTANTIATE_TEST_SUITE_P(
    dualwrite, Conformance,
    testing::Values(MemoryToRocksDbUnderTest("idle"), MemoryToRocksDbUnderTest("dual_write"),
                    MemoryToRocksDbUnderTest("verifying"), MemoryToRocksDbUnderTest("verified"),
                    MemoryToRocksDbUnderTest("reads_switched"), MemoryToRocksDbUnderTest("cut_over"),
                    MemoryToRocksDbUnderTest("aborting"), RocksDbToPostgresUnderTest("idle"),
                    RocksDbToPostgresUnderTest("dual_write"), RocksDbToPostgresUnderTest("verifying"),
                    RocksDbToPostgresUnderTest("verified"), RocksDbToPostgresUnderTest("reads_switched"),
                    RocksDbToPostgresUnderTest("cut_over"), RocksDbToPostgresUnderTest("aborting")),
    Name);

}  // namespace holdfast::storage::conformance
