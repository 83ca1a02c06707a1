#include "service/settings.h"

#include "tests/unit/service/settings/loaded_settings.h"

namespace holdfast::service {
namespace {

ServiceSettings LoadOrFail(const std::vector<std::string>& flags) {
  std::vector<config::Problem> problems;
  auto settings = Load(flags, &problems);
  for (const auto& problem : problems) ADD_FAILURE() << problem.where << ": " << problem.message;
  return settings ? *settings : ServiceSettings{};
}

// The table is the documentation of what the code does without it.
TEST(SettingsTest, DefaultsAreThoseOfTheOptions) {
  const ServiceSettings settings = LoadOrFail({});
  const auto& rocksdb = std::get<storage::RocksDbOptions>(settings.backends.at(0).options);
  const storage::RocksDbOptions defaults;
  EXPECT_EQ(rocksdb.path, "holdfast-data/local");
  EXPECT_EQ(rocksdb.limits.max_key_bytes, defaults.limits.max_key_bytes);
  EXPECT_EQ(rocksdb.limits.max_value_bytes, defaults.limits.max_value_bytes);
  EXPECT_EQ(rocksdb.limits.max_metadata_bytes, defaults.limits.max_metadata_bytes);
  EXPECT_EQ(rocksdb.limits.max_tags, defaults.limits.max_tags);
  EXPECT_EQ(rocksdb.limits.max_tag_bytes, defaults.limits.max_tag_bytes);
  EXPECT_EQ(rocksdb.limits.max_content_type_bytes, defaults.limits.max_content_type_bytes);
  EXPECT_EQ(rocksdb.limits.max_operations, defaults.limits.max_operations);
  EXPECT_EQ(rocksdb.limits.max_scan_entries, defaults.limits.max_scan_entries);
  EXPECT_EQ(rocksdb.limits.max_scan_bytes, defaults.limits.max_scan_bytes);
  const api::ServerLimits server;
  EXPECT_EQ(settings.listen.limits.max_connections, server.max_connections);
  EXPECT_EQ(settings.listen.limits.max_request_line_bytes, server.max_request_line_bytes);
  EXPECT_EQ(settings.listen.limits.max_header_bytes, server.max_header_bytes);
  EXPECT_EQ(settings.listen.limits.max_header_count, server.max_header_count);
  EXPECT_EQ(settings.listen.limits.header_timeout, server.header_timeout);
  EXPECT_EQ(settings.listen.limits.body_timeout, server.body_timeout);
  EXPECT_EQ(settings.listen.limits.idle_timeout, server.idle_timeout);
  EXPECT_EQ(settings.listen.limits.write_timeout, server.write_timeout);
  EXPECT_EQ(settings.listen.limits.linger_timeout, server.linger_timeout);
  EXPECT_EQ(settings.listen.limits.max_trailer_bytes, server.max_trailer_bytes);
  EXPECT_EQ(settings.listen.limits.max_chunk_line_bytes, server.max_chunk_line_bytes);
  EXPECT_EQ(settings.listen.limits.max_connections_per_address, server.max_connections_per_address);
  EXPECT_EQ(settings.listen.limits.max_requests, server.max_requests);
  EXPECT_EQ(settings.listen.limits.reserved_descriptors,
            server.reserved_descriptors + static_cast<std::size_t>(defaults.max_open_files));
  EXPECT_FALSE(settings.listen.tls);
  const execution::ExecutorOptions executor;
  EXPECT_EQ(settings.executor.max_queued_operations, executor.max_queued_operations);
  EXPECT_EQ(settings.executor.max_queued_bytes, executor.max_queued_bytes);
  EXPECT_EQ(settings.executor.max_batch_operations, executor.max_batch_operations);
  EXPECT_EQ(settings.executor.max_batch_bytes, executor.max_batch_bytes);
  EXPECT_EQ(settings.executor.pool_threads, executor.pool_threads);
  EXPECT_EQ(settings.executor.max_queued_tasks, executor.max_queued_tasks);
  const api::ApiOptions api;
  EXPECT_EQ(settings.api.default_timeout, api.default_timeout);
  EXPECT_EQ(settings.api.maximum_timeout, api.maximum_timeout);
  EXPECT_EQ(settings.api.max_batch_body_bytes, api.max_batch_body_bytes);
  EXPECT_EQ(settings.api.max_batch_response_bytes, api.max_batch_response_bytes);
  EXPECT_EQ(settings.api.max_page_entries, api.max_page_entries);
}

TEST(SettingsTest, EveryRocksDbReservesItsFiles) {
  const ServiceSettings settings =
      LoadOrFail({"--backends.a.max_open_files=100", "--backends.b.max_open_files=200", "--backends.c.type=memory",
                  "--stores.s.backend=a", "--limits.reserved_descriptors=10"});
  EXPECT_EQ(settings.listen.limits.reserved_descriptors, 310u);
}

TEST(SettingsTest, TlsIsItsThreeFiles) {
  const ServiceSettings settings =
      LoadOrFail({"--listen.tls.certificate=a", "--listen.tls.key=b", "--listen.tls.client_ca=c"});
  ASSERT_TRUE(settings.listen.tls);
  EXPECT_EQ(settings.listen.tls->certificate, "a");
  EXPECT_EQ(settings.listen.tls->key, "b");
  EXPECT_EQ(settings.listen.tls->client_ca, "c");
}

// A backend that is named but has no further setting is opened as the options' own defaults say.
TEST(SettingsTest, DefaultsOfANamedRocksDb) {
  const ServiceSettings settings = LoadOrFail({"--backends.db.type=rocksdb", "--data_dir=/data"});
  const auto& rocksdb = std::get<storage::RocksDbOptions>(settings.backends.at(0).options);
  const storage::RocksDbOptions defaults;
  EXPECT_EQ(rocksdb.path, "/data/db");
  EXPECT_EQ(rocksdb.durability, defaults.durability);
  EXPECT_EQ(rocksdb.sync_interval, defaults.sync_interval);
  EXPECT_EQ(rocksdb.cache_size, defaults.cache_size);
  EXPECT_EQ(rocksdb.entry_cache_size, defaults.entry_cache_size);
  EXPECT_EQ(rocksdb.compression, defaults.compression);
  EXPECT_EQ(rocksdb.max_open_files, defaults.max_open_files);
  EXPECT_EQ(rocksdb.write_buffer_size, defaults.write_buffer_size);
  EXPECT_EQ(rocksdb.max_write_buffers, defaults.max_write_buffers);
  EXPECT_EQ(rocksdb.max_log_size, defaults.max_log_size);
  EXPECT_EQ(rocksdb.background_threads, defaults.background_threads);
  EXPECT_EQ(rocksdb.wal_recovery, defaults.wal_recovery);
  EXPECT_EQ(settings.stores.at(0).name, "main");
  EXPECT_EQ(settings.stores.at(0).backend, "db");
  EXPECT_EQ(settings.default_store, "main");
}

TEST(SettingsTest, EveryChoiceIsUnderstood) {
  const auto rocksdb = [](const std::string& flag) {
    return std::get<storage::RocksDbOptions>(LoadOrFail({"--backends.a." + flag}).backends.at(0).options);
  };
  EXPECT_EQ(rocksdb("durability=sync").durability, storage::Durability::kSync);
  EXPECT_EQ(rocksdb("durability=interval").durability, storage::Durability::kInterval);
  EXPECT_EQ(rocksdb("durability=os").durability, storage::Durability::kOs);
  EXPECT_EQ(rocksdb("compression=none").compression.codec, compression::Codec::kNone);
  EXPECT_EQ(rocksdb("compression=lz4").compression.codec, compression::Codec::kLz4);
  EXPECT_EQ(rocksdb("compression=snappy").compression.codec, compression::Codec::kSnappy);
  EXPECT_EQ(rocksdb("compression=zstd").compression.codec, compression::Codec::kZstd);
  const auto memory_eviction = [](const std::string& eviction) {
    return std::get<storage::MemoryOptions>(
               LoadOrFail({"--backends.a.type=memory", "--backends.a.eviction=" + eviction}).backends.at(0).options)
        .eviction;
  };
  EXPECT_EQ(memory_eviction("none"), storage::Eviction::kNone);
  EXPECT_EQ(memory_eviction("lru"), storage::Eviction::kLru);
  EXPECT_EQ(memory_eviction("lfu"), storage::Eviction::kLfu);
  EXPECT_EQ(memory_eviction("ttl"), storage::Eviction::kTtl);
  EXPECT_EQ(rocksdb("compression=auto").compression.codec, compression::Codec::kLz4);
  const auto memory_compression = [](std::vector<std::string> flags) {
    flags.emplace_back("--backends.a.type=memory");
    return std::get<storage::MemoryOptions>(LoadOrFail(flags).backends.at(0).options).compression;
  };
  EXPECT_EQ(memory_compression({}), compression::Options{});
  EXPECT_EQ(memory_compression({"--backends.a.compression=auto"}).codec, compression::Codec::kNone);
  EXPECT_EQ(memory_compression({"--backends.a.compression=zstd", "--backends.a.compression_level=3",
                                "--backends.a.compression_threshold=100"}),
            (compression::Options{compression::Codec::kZstd, 3, 100}));
  EXPECT_EQ(rocksdb("compression_level=7").compression.level, 7);
  EXPECT_EQ(rocksdb("compression_threshold=4Ki").compression.threshold_bytes, 4096u);
  EXPECT_EQ(rocksdb("wal_recovery=point_in_time").wal_recovery, storage::WalRecovery::kPointInTime);
  EXPECT_EQ(rocksdb("path=/absolute").path, "/absolute");
  const auto memory = LoadOrFail({"--backends.a.type=memory", "--backends.a.max_bytes=1Mi", "--limits.value=2Mi"});
  EXPECT_EQ(std::get<storage::MemoryOptions>(memory.backends.at(0).options).max_bytes, 1u << 20);
  EXPECT_EQ(std::get<storage::MemoryOptions>(memory.backends.at(0).options).limits.max_value_bytes, 2u << 20);
}

TEST(SettingsTest, RedisIsItsUrlAndWhatStandsBesideIt) {
  const ServiceSettings settings =
      LoadOrFail({"--backends.cache.type=redis", "--backends.cache.url=rediss://someone:secret@cache.example:6380/3"});
  const auto& redis = std::get<storage::RedisOptions>(settings.backends.at(0).options);
  const storage::RedisOptions defaults;
  EXPECT_EQ(redis.client.target.addresses.at(0).host, "cache.example");
  EXPECT_EQ(redis.client.target.addresses.at(0).port, 6380);
  EXPECT_EQ(redis.client.target.database, 3);
  EXPECT_EQ(redis.client.target.user, "someone");
  EXPECT_TRUE(redis.client.target.tls);
  EXPECT_EQ(redis.key_prefix, defaults.key_prefix);
  EXPECT_EQ(redis.durable, defaults.durable);
  EXPECT_EQ(redis.change_stream_length, defaults.change_stream_length);
  EXPECT_EQ(redis.command_timeout, defaults.command_timeout);
  EXPECT_EQ(redis.poll_interval, defaults.poll_interval);
  EXPECT_EQ(redis.instance_timeout, defaults.instance_timeout);
  EXPECT_EQ(redis.client.connect_timeout, defaults.client.connect_timeout);
  EXPECT_EQ(redis.client.read_timeout, defaults.client.read_timeout);
  EXPECT_EQ(redis.client.write_timeout, defaults.client.write_timeout);
  EXPECT_EQ(redis.client.min_connections, defaults.client.min_connections);
  EXPECT_EQ(redis.client.max_connections, defaults.client.max_connections);
  EXPECT_EQ(redis.client.acquire_timeout, defaults.client.acquire_timeout);
  EXPECT_EQ(redis.client.idle_timeout, defaults.client.idle_timeout);
  EXPECT_EQ(redis.client.max_lifetime, defaults.client.max_lifetime);
  EXPECT_EQ(redis.compression, defaults.compression);
  EXPECT_EQ(redis.replica_reads, defaults.replica_reads);
  EXPECT_EQ(redis.max_replication_lag, defaults.max_replication_lag);
  EXPECT_EQ(redis.replica_timeout, defaults.replica_timeout);
  EXPECT_EQ(redis.cluster_partitions, defaults.cluster_partitions);
  EXPECT_EQ(redis.cluster_spread, defaults.cluster_spread);
}

TEST(SettingsTest, RedisBehindSentinelsAndWithCompression) {
  const ServiceSettings settings = LoadOrFail(
      {"--backends.c.type=redis", "--backends.c.url=redis+sentinel://someone:secret@s1,s2:26380/main/2",
       "--backends.c.sentinel_username=watcher", "--backends.c.sentinel_password_file=/run/p",
       "--backends.c.replica_reads=true", "--backends.c.max_replication_lag=2s", "--backends.c.compression=zstd",
       "--backends.c.compression_level=3", "--backends.c.compression_threshold=100"});
  const auto& redis = std::get<storage::RedisOptions>(settings.backends.at(0).options);
  EXPECT_EQ(redis.client.target.topology, redis::Target::Topology::kSentinel);
  EXPECT_EQ(redis.client.target.addresses.size(), 2u);
  EXPECT_EQ(redis.client.target.master, "main");
  EXPECT_EQ(redis.client.sentinel_user, "watcher");
  EXPECT_EQ(redis.client.sentinel_password_file, "/run/p");
  EXPECT_TRUE(redis.replica_reads);
  EXPECT_EQ(redis.max_replication_lag, std::chrono::seconds{2});
  EXPECT_EQ(redis.compression, (compression::Options{compression::Codec::kZstd, 3, 100}));
}

TEST(SettingsTest, RedisOverACluster) {
  const ServiceSettings settings =
      LoadOrFail({"--backends.c.type=redis", "--backends.c.url=rediss+cluster://u:secret@n1,n2:7001/",
                  "--backends.c.cluster_partitions=32", "--backends.c.cluster_spread=namespace"});
  const auto& redis = std::get<storage::RedisOptions>(settings.backends.at(0).options);
  EXPECT_EQ(redis.client.target.topology, redis::Target::Topology::kCluster);
  EXPECT_EQ(redis.client.target.addresses.size(), 2u);
  EXPECT_EQ(redis.cluster_partitions, 32);
  EXPECT_EQ(redis.cluster_spread, storage::ClusterSpread::kNamespace);
}

TEST(SettingsTest, PostgresKeepsValuesAsItsColumnStandsUnlessAskedFor) {
  const auto storage = [](std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--backends.a.type=postgres", "--backends.a.url=postgresql://h/d"});
    return LoadOrFail(flags).backends.at(0).value_storage;
  };
  EXPECT_FALSE(storage({}).asks());
  EXPECT_FALSE(storage({"--backends.a.compression=auto"}).asks());
  EXPECT_EQ(storage({"--backends.a.compression=none"}).compression, migrations::ValueCompression::kNone);
  EXPECT_EQ(storage({"--backends.a.compression=pglz"}).compression, migrations::ValueCompression::kPglz);
  const migrations::ValueStorage both =
      storage({"--backends.a.compression=lz4", "--backends.a.compression_threshold=4Ki"});
  EXPECT_EQ(both.compression, migrations::ValueCompression::kLz4);
  EXPECT_EQ(both.tuple_target, 4096);
  EXPECT_EQ(storage({"--backends.a.compression_threshold=128"}).tuple_target, 128);
  EXPECT_EQ(storage({"--backends.a.compression_threshold=8160"}).tuple_target, 8160);
}

TEST(SettingsTest, ACompressionThatTheBackendHasNotIsNamed) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{"type=postgres", "url=postgresql://h/d", "compression=zstd"}, "give lz4, pglz or none"},
      {{"type=postgres", "url=postgresql://h/d", "compression=snappy"}, "give lz4, pglz or none"},
      {{"type=postgres", "url=postgresql://h/d", "compression_threshold=127"}, "PostgreSQL takes 128 to 8160"},
      {{"type=postgres", "url=postgresql://h/d", "compression_threshold=8161"}, "PostgreSQL takes 128 to 8160"},
      {{"type=postgres", "url=postgresql://h/d", "compression_level=1"},
       "has no meaning for a backend of type postgres"},
      {{"type=memory", "compression=pglz"}, "is PostgreSQL's own"},
      {{"type=rocksdb", "compression=pglz"}, "is PostgreSQL's own"},
      {{"type=redis", "url=redis://h", "compression=pglz"}, "is PostgreSQL's own"}};
  for (const auto& [rows, remedy] : wrong) {
    std::vector<std::string> flags;
    for (const std::string& row : rows) flags.push_back("--backends.a." + row);
    std::vector<config::Problem> problems;
    EXPECT_FALSE(Load(flags, &problems)) << rows.back();
    ASSERT_EQ(problems.size(), 1u) << rows.back();
    EXPECT_NE(problems[0].where.find(rows.back().substr(0, rows.back().find('='))), std::string::npos);
    EXPECT_NE(problems[0].message.find(remedy), std::string::npos) << problems[0].message;
  }
}

TEST(SettingsTest, WhatARedisBackendCannotBeIsNamedWithoutItsSecrets) {
  const std::string type = "--backends.cache.type=redis";
  const std::string url = "--backends.cache.url=redis://:secret@cache.example";
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{type}, "backends.cache.url"},
      {{type, "--backends.cache.url=postgresql://:secret@cache.example"}, "backends.cache.url"},
      {{type, url, "--backends.cache.url_file=/nowhere"}, "backends.cache.url_file"},
      {{type, url, "--backends.cache.key_prefix="}, "backends.cache.key_prefix"},
      {{type, url, "--backends.cache.pool_min=9"}, "backends.cache.pool_min"},
      {{type, url, "--backends.cache.tls_key=/k"}, "backends.cache.tls_certificate"},
      {{type, url, "--backends.cache.poll_interval=3s"}, "backends.cache.poll_interval"},
      {{type, url, "--limits.value=300Mi"}, "limits.value"},
      {{type, url, "--backends.cache.compression=snappy", "--backends.cache.compression_level=1"},
       "backends.cache.compression_level"},
      {{"--backends.m.type=memory", "--backends.m.compression=lz4", "--backends.m.compression_level=13"},
       "backends.m.compression_level"},
      {{type, url, "--backends.cache.replica_reads=true"}, "backends.cache.replica_reads"},
      {{type, "--backends.cache.url=redis+cluster://:secret@n1/3"}, "backends.cache.url"},
      {{type, "--backends.cache.url=redis+cluster://:secret@n1", "--backends.cache.key_prefix=a{b"},
       "backends.cache.key_prefix"},
      {{type, "--backends.cache.url=redis+cluster://:secret@n1", "--backends.cache.replica_reads=true"},
       "backends.cache.replica_reads"},
      {{type, "--backends.cache.url=redis+sentinel://:secret@s1/main", "--backends.cache.replica_reads=true",
        "--backends.cache.max_replication_lag=500ms"},
       "backends.cache.max_replication_lag"},
      {{type, url, "--backends.cache.schema=s"}, "backends.cache.schema"},
      {{"--backends.db.type=postgres", "--backends.db.url=postgresql://h/d", "--backends.db.durable=true"},
       "backends.db.durable"}};
  for (const auto& [flags, named] : wrong) {
    std::vector<config::Problem> problems;
    EXPECT_FALSE(Load(flags, &problems)) << named;
    ASSERT_FALSE(problems.empty()) << named;
    EXPECT_NE(problems[0].where.find(named), std::string::npos) << problems[0].where << ": " << problems[0].message;
    EXPECT_EQ(problems[0].message.find("secret"), std::string::npos);
  }
}

TEST(SettingsTest, AStoreWithACache) {
  const std::vector<std::string> backends = {"--backends.db.type=rocksdb", "--backends.hot.type=memory",
                                             "--backends.hot.max_bytes=1Mi", "--backends.hot.eviction=lru"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), backends.begin(), backends.end());
    return more;
  };
  EXPECT_FALSE(LoadOrFail(with({"--stores.s.backend=db"})).stores.at(0).cache);
  const auto cache = LoadOrFail(with({"--stores.s.backend=db", "--stores.s.cache=hot"})).stores.at(0).cache;
  ASSERT_TRUE(cache);
  EXPECT_EQ(cache->backend, "hot");
  const composition::CopyOptions defaults;
  EXPECT_EQ(cache->options.copies.ttl, defaults.ttl);
  EXPECT_EQ(cache->options.copies.negative_ttl, defaults.negative_ttl);
  EXPECT_EQ(cache->options.copies.timeout, defaults.timeout);
  EXPECT_EQ(cache->options.copies.max_value_bytes, defaults.max_value_bytes);

  EXPECT_FALSE(cache->options.shared);
  const std::vector<std::string> over_postgres = {"--backends.pg.type=postgres", "--backends.pg.url=postgresql://u@h/d",
                                                  "--stores.s.backend=pg", "--stores.s.cache=hot"};
  const auto shared = LoadOrFail(with(over_postgres)).stores.at(0).cache;
  ASSERT_TRUE(shared);
  EXPECT_TRUE(shared->options.shared);
  EXPECT_EQ(shared->options.max_staleness, composition::TieredOptions().max_staleness);
  for (const char* url : {"redis://h", "redis+sentinel://h/main"}) {
    const auto near =
        LoadOrFail(with({"--backends.r.type=redis", std::string("--backends.r.url=") + url, "--stores.s.backend=r",
                         "--stores.s.cache=hot", "--stores.s.cache_max_staleness=5s"}))
            .stores.at(0)
            .cache;
    ASSERT_TRUE(near) << url;
    EXPECT_TRUE(near->options.shared) << url;
    EXPECT_FALSE(near->options.cache_shared) << url;
    EXPECT_EQ(near->options.max_staleness, std::chrono::seconds{5}) << url;
  }

  const std::pair<std::vector<std::string>, const char*> wrong[] = {
      {{"--backends.r.type=redis", "--backends.r.url=redis+cluster://h", "--stores.s.backend=r",
        "--stores.s.cache=hot"},
       "backend r is a redis cluster"},
      {{"--stores.s.backend=db", "--stores.s.cache=hot", "--stores.s.cache_max_staleness=1s"}, "no meaning over"},
      {{"--stores.s.backend=db", "--stores.s.cache=none"}, "no backend \"none\""},
      {{"--stores.s.backend=db", "--stores.s.cache=db"}, "the backend of the store itself"},
      {{"--stores.s.backend=db", "--stores.s.cache_ttl=1m"}, "no meaning without cache"},
      {{"--stores.s.backend=db", "--backends.m.type=memory", "--stores.s.cache=m"}, "backends.m.max_bytes"},
      {{"--stores.s.backend=db", "--backends.m.type=memory", "--backends.m.max_bytes=1Mi", "--stores.s.cache=m"},
       "backends.m.eviction"},
  };
  for (const auto& [flags, expected] : wrong) {
    std::vector<config::Problem> problems;
    EXPECT_FALSE(Load(with(flags), &problems)) << expected;
    ASSERT_EQ(problems.size(), 1u) << expected;
    EXPECT_NE(problems[0].message.find(expected), std::string::npos) << problems[0].message;
  }
}

TEST(SettingsTest, StoresAndTheirDefaults) {
  const auto settings = LoadOrFail({"--backends.a.type=memory", "--backends.b.type=memory", "--stores.x.backend=a",
                                    "--stores.x.default_ttl=1h", "--stores.y.backend=b", "--default_store=y"});
  ASSERT_EQ(settings.stores.size(), 2u);
  EXPECT_EQ(settings.stores[0].default_ttl, std::chrono::hours{1});
  EXPECT_EQ(settings.stores[1].default_ttl, std::nullopt);
  EXPECT_EQ(settings.default_store, "y");
}

TEST(SettingsTest, NamesFitIntoPathsAndLabels) {
  for (const char* name : {"UPPER", "a/b", "_default", "-a", "a-", "a b"}) {
    std::vector<config::Problem> problems;
    EXPECT_FALSE(Load({std::string("--backends.") + name + ".type=memory"}, &problems)) << name;
    EXPECT_FALSE(problems.empty()) << name;
  }
}

TEST(SettingsTest, EnvironmentOfOthersIsLeftAlone) {
  const char* environment[] = {"HOLDFAST_LISTEN_PORT=1",
                               "HOLDFAST_URL=http://x",
                               "HOLDFAST_ADMIN_URL=http://x",
                               "HOLDFAST_CONFIG=f",
                               "HOLDFAST_SEED=1",
                               "HOLDFAST_SERVICE_HOST=10.0.0.1",
                               "HOLDFAST_SERVICE_PORT=8080",
                               "HOLDFAST_MAIN_SERVICE_HOST=10.0.0.1",
                               "HOLDFAST_PORT=tcp://10.0.0.1:8080",
                               "HOLDFAST_PORT_8080_TCP_PROTO=tcp",
                               "HOLDFAST_TYPO=1",
                               "OTHER=1",
                               nullptr};
  EXPECT_EQ(SettingsEnvironment(environment),
            (std::map<std::string, std::string>{{"HOLDFAST_LISTEN_PORT", "1"}, {"HOLDFAST_TYPO", "1"}}));
}

}  // namespace
}  // namespace holdfast::service
