// How the keys of a backend are spread over a Redis Cluster. They are cut into partitions, each of which is, under a
// prefix of its own with a {hash tag}, all that a backend is on a single server: rows, index, expiry, state, changes. A
// script touches one partition, so all its keys lie in one slot. On a single server there is one partition, whose
// prefix has no tag. docs/formats/redis.md is the published description. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/backends/redis/redis_options.h"
#include "service/storage/types.h"

namespace holdfast::storage::redis_backend {

// The hash tag of each of `count` partitions: the i-th is the smallest decimal number whose slot is the one in the
// middle of the i-th of `count` equal parts of the slots, so that masters which share the slots evenly share the
// partitions, too. 1 <= count <= kMaxClusterPartitions.
std::vector<std::string> PartitionTags(std::size_t count);

// Immutable; thread-safe.
class Partitions {
 public:
  explicit Partitions(const RedisOptions& options);

  std::size_t size() const { return prefixes_.size(); }
  // What the keys of the partition begin with.
  const std::string& prefix(std::size_t partition) const { return prefixes_[partition]; }

  // Of a key of the backend (key_space.h). What it depends on is read as Redis reads a key: what stands in the first
  // {braces} alone, if there is anything. With ClusterSpread::kNamespace that is store and namespace only. With kKey it
  // is, beside these,
  //   of a client's key, a lock and its fence, and what is remembered of a request: the key, the name;
  //   of collections, their documents and indexes: nothing, so that those of a namespace stay together.
  std::size_t Of(std::string_view backend_key) const;
  // The one partition that holds every key of the range; nullopt: there may be several.
  std::optional<std::size_t> Of(const KeyRange& range) const;
  // The one that holds every key of the transaction, the first when it has none; nullopt: there are several.
  std::optional<std::size_t> Of(const Transaction& transaction) const;

 private:
  std::size_t PartOf(std::string_view space, std::string_view name) const;

  const ClusterSpread spread_;
  std::vector<std::string> prefixes_;
};

}  // namespace holdfast::storage::redis_backend
