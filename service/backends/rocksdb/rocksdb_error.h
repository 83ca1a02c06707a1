// RocksDB's statuses in the words of the contract. Failed writes are judged in write_gate.h, which knows how far they
// came.
#pragma once

#include <rocksdb/status.h>

#include <string_view>

#include "base/result/error.h"

namespace holdfast::storage {

Error ReadError(const rocksdb::Status& status);
// Of what an operator asked for; `doing` as in "compacting".
Error MaintenanceError(const rocksdb::Status& status, std::string_view doing);
// Of taking the lock, or of opening: another process, or this one, has the directory open.
bool IsOpenElsewhere(const rocksdb::Status& status);
Error OpenError(const rocksdb::Status& status, std::string_view path);

}  // namespace holdfast::storage
