// Tells of every call of a backend in the traces of the requests that it is made for (context.h): one span for each of
// them, a child of the request's span, with the times of the call. It stands right in front of the driver, so that each
// attempt, each hedge and each backend of a composed store has a span of its own.
//
// A batch serves many requests. A span has one parent, and a trace is read from its request downwards; so each of them
// gets a span, and those behind the first are linked to the first, which says that it was the same call.
//
// Calls for no traced request cost the look at a thread-local pointer. Health checks, statistics and what the service
// does by itself have no spans.
//
// Names are OpenTelemetry's for database clients (semantic conventions 1.33), and our own begin with "holdfast.":
//   span                       "{operation} {backend}", kind client
//   db.system.name             postgresql, redis, rocksdb, memory
//   db.operation.name          get, put, delete, take, touch, increment, transact, scan, count, delete_range; of
//                              several operations "BATCH put", or "BATCH" when they differ
//   db.operation.batch.size    how many operations, from two on
//   db.response.returned_rows  of a scan
//   error.type                 the error's code, when the backend failed; then the status is an error, too
//   holdfast.backend, .store   their configured names
//   holdfast.result            "ok" or an error's code. Of a batch: the first failure of the backend, else what all of
//                              its operations ended with, else "ok"
//   holdfast.refused           operations of a batch that were not done
//   holdfast.attempt           from 1; more after a retry
//   holdfast.hedge             "true": a read that was sent a second time
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "service/storage/backend.h"
#include "service/tracing/span.h"

namespace holdfast::tracing {

// `max_calls`: of one request that have a span; further ones are only counted (TracedRequest::calls).
std::shared_ptr<storage::Backend> MakeTracedBackend(std::shared_ptr<storage::Backend> backend, std::string name,
                                                    std::shared_ptr<SpanSink> sink, std::uint64_t max_calls);

}  // namespace holdfast::tracing
