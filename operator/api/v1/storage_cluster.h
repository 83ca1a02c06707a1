// StorageCluster as C++ data. Types hold no behaviour; what is allowed in them stands in storage_cluster_fields.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "operator/api/v1/condition.h"
#include "operator/api/v1/field.h"

namespace holdfast::api {

inline constexpr char kGroup[] = "storage.holdfast.dev";
inline constexpr char kApiVersion[] = "storage.holdfast.dev/v1";
inline constexpr char kStorageClusterKind[] = "StorageCluster";

// Sizes keep the user's spelling ("10Gi"), which is what goes into volumes and configuration; they are valid.
struct EmbeddedBackend {
  std::string storage_size;
  std::optional<std::string> storage_class_name;
  std::string cache_size;
  std::string compression;
};

struct MemoryBackend {
  std::string max_bytes;
};

struct BackendSpec {
  std::string name;
  std::variant<EmbeddedBackend, MemoryBackend> kind;

  const EmbeddedBackend* embedded() const { return std::get_if<EmbeddedBackend>(&kind); }
  const MemoryBackend* memory() const { return std::get_if<MemoryBackend>(&kind); }
};

struct StoreSpec {
  std::string name;
  std::string backend;
  std::optional<std::string> default_ttl;
};

struct ServiceSpec {
  std::int64_t replicas = 1;
  Json resource_requests = Json::object();  // as a container's resources.requests; empty = none were given
  Json resource_limits = Json::object();
};

enum class TerminationPolicy { kRetain, kDelete, kDoNotTerminate };

struct StorageClusterSpec {
  std::vector<BackendSpec> backends;
  std::vector<StoreSpec> stores;
  std::string default_store;  // never empty: the first store when the user named none
  ServiceSpec service;
  TerminationPolicy termination_policy = TerminationPolicy::kRetain;
};

struct BackendStatus {
  std::string name;
  std::string type;
  std::string claim_name;  // the rest is empty for a backend without a volume
  std::string requested;
  std::string capacity;
};

struct StorageClusterStatus {
  std::int64_t observed_generation = 0;
  std::int64_t replicas = 0;
  std::int64_t ready_replicas = 0;
  std::string selector;
  std::string endpoint;
  std::string stores;
  std::vector<BackendStatus> backends;
  std::vector<Condition> conditions;
};

struct StorageCluster {
  std::string ns;
  std::string name;
  std::string uid;  // empty for a manifest that no API server has seen
  std::int64_t generation = 0;
  StorageClusterSpec spec;
};

struct ParsedStorageCluster {
  // Set exactly when `errors` is empty.
  std::optional<StorageCluster> cluster;
  std::vector<FieldError> errors;
};

// Reads spec and metadata, with defaults; everything that is wrong is reported at once. The status is not looked at.
// `old`: the object as it was before an update, for the rules about change (asked when it was valid); nullptr
// otherwise.
ParsedStorageCluster ParseStorageCluster(const Json& object, const Json* old = nullptr);

// "2 errors: spec.a: ...; spec.b: ...", in at most `max_length` characters.
std::string Summarize(const std::vector<FieldError>& errors, std::size_t max_length = 2048);

// Readable even when the rest of the spec is not, since deletion depends on it; anything unknown is Retain.
TerminationPolicy TerminationPolicyOf(const Json& object);

Json StatusToJson(const StorageClusterStatus& status);

}  // namespace holdfast::api
