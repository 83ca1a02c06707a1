// Makes one replica's rows those of another, page by page.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "base/result/result.h"
#include "service/storage/backend.h"

namespace holdfast::composition {

struct ReplicaComparison {
  storage::KeyRange rows;                    // of both
  std::chrono::milliseconds call_timeout{};  // of each call to either
  std::function<bool()> stop;                // asked between pages
  // Told of a row of the target before it is replaced; `by` is null when it is removed.
  std::function<void(const std::string& row_key, const storage::Entry& row, const storage::Entry* by)> replaced;
};

// How many rows were written or removed. Rows of the source that change meanwhile are written as they are when their
// page is read; nobody else may write to the target. After an error some rows are copied; it may be repeated.
Result<std::uint64_t> MakeSame(storage::Backend& source, storage::Backend& target, const ReplicaComparison& comparison);

}  // namespace holdfast::composition
