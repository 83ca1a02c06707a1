// What every Prometheus client tells about its process: process_cpu_seconds_total, process_open_fds, process_max_fds,
// process_virtual_memory_bytes, process_virtual_memory_max_bytes, process_resident_memory_bytes and
// process_start_time_seconds. Read from /proc/self whenever the registry is serialized; what cannot be read keeps the
// value it had.
#pragma once

#include "base/metrics/metrics.h"

namespace holdfast::metrics {

// Once per registry.
void AddProcessMetrics(Registry& registry);

}  // namespace holdfast::metrics
