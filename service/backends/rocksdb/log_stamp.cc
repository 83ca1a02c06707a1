#include "service/backends/rocksdb/log_stamp.h"

#include <string>

#include "service/storage/entry_attributes.h"

namespace holdfast::storage {
namespace {

constexpr char kMark = 'T';

}  // namespace

void AppendStamp(Timestamp now, rocksdb::WriteBatch* batch) {
  std::string blob(1, kMark);
  AppendFixed(blob, MicrosOf(now));
  batch->PutLogData(blob);
}

std::optional<Timestamp> ParseStamp(const rocksdb::Slice& blob) {
  ByteReader reader({blob.data(), blob.size()});
  const bool marked = reader.Byte() == static_cast<std::uint8_t>(kMark);
  const Timestamp time = TimeOfMicros(reader.Number(sizeof(std::uint64_t)));
  return marked && !reader.failed() && reader.remaining() == 0 ? std::optional(time) : std::nullopt;
}

}  // namespace holdfast::storage
