// Entries in PostgreSQL 15: the durable system of record, shared by any number of instances. The tables stand in
// migrations/; what each is for in docs/formats/postgres-schema.md.
//
// Durability: an operation that returned ok was committed; with synchronous_commit `on` or stronger (the server's
// default) it is on its disk, and on that of its synchronous standbys. A write whose answer was lost is
// kOutcomeUnknown.
//
// Expiry is decided by the server's clock, so that all instances agree.
//
// Versions are drawn from a sequence under the lock of the key: they rise for ever, across restarts and failovers. On a
// new timeline or another cluster, where writes may have been lost (an asynchronous standby, a restored copy), the
// sequence is lifted above theirs before anybody writes; how far, and why that is enough, stands in
// docs/formats/postgres-schema.md.
#pragma once

#include <memory>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "service/backends/postgres/postgres_options.h"
#include "service/storage/backend.h"
#include "service/storage/change_history.h"

namespace holdfast::storage {

inline constexpr std::chrono::milliseconds kPostgresSweepInterval{250};

// Connects in the background: an unreachable server or an unknown schema is what CheckHealth and every call report.
// kInvalidArgument when the options can never work. `clock`, for tests, replaces the server's and outlives the backend.
Result<std::unique_ptr<Backend>> OpenPostgresBackend(const PostgresOptions& options, const Clock* clock = nullptr);

// Of what OpenPostgresBackend gave, and as long-lived; null: it is another backend.
ChangeHistory* PostgresHistoryOf(Backend& backend);

}  // namespace holdfast::storage
