// The fields of a PostgreSQL backend, and which of the server's parameters may be set.
#pragma once

#include <string_view>

#include "operator/api/v1/field.h"

namespace holdfast::api {

// spec.backends[].postgres.
Field PostgresFields();

// How a backend's large values are compressed; without a default, so that a cluster that does not ask keeps its
// configuration.
Field CompressionField(std::string description, std::vector<std::string> choices);

// What stands in for fields that are absent. Not given by the API server: beside `external` they would claim what is
// not so.
inline constexpr std::int64_t kDefaultPostgresInstances = 3;
inline constexpr std::int64_t kDefaultPoolerInstances = 2;
inline constexpr char kDefaultPostgresVersion[] = "15";

// "<cluster>-<backend>" and what is appended to it have to fit into labels of 63 characters.
inline constexpr std::size_t kMaximumPostgresNames = 43;  // both names together
// Of a Redis backend with sentinels: "-sentinel" is longer than what others append.
inline constexpr std::size_t kMaximumSentinelNames = 42;

// spec.backends[].embedded.storage and postgres.storage;
// spec.backends[].redis.storage, which has no autogrow: without its description.
Field StorageFields(std::string description, std::string size_description, std::string autogrow_description = {});

// resources.requests and resources.limits.
Field ResourceAmounts(std::string name, std::string description);

// One key of an object of the cluster's own namespace; `kind` is "Secret" or "ConfigMap".
Field KeyReference(std::string name, std::string description, const std::string& kind);

// A field of a later release.
Field Later(std::string name, FieldType type, std::string description, const std::string& remedy);

}  // namespace holdfast::api
