// The stores that checkpoints and backups are measured on.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "service/storage/backend.h"

namespace holdfast::bench {

inline constexpr std::size_t kValueBytes = 100;

// One that puts the entry number `i` of the store "main", as Fill does.
storage::Operation PutOf(std::size_t i);
// Entries 0 to `entries`.
void Fill(storage::Backend& backend, std::size_t entries);

// Each kind in turn, with a backend that is empty and its own: memory, RocksDB below `folder`, and a PostgreSQL that is
// started for it. All of them sync what they acknowledge, where they can.
void WithEachBackend(
    const std::string& folder,
    const std::function<void(const std::string& kind, const std::shared_ptr<storage::Backend>& backend)>& measure);

}  // namespace holdfast::bench
