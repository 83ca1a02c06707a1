// Checkpoints in memory, for tests.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "service/durability/checkpoint_reader.h"
#include "service/durability/checkpoint_writer.h"

namespace holdfast::durability {

inline std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    hex.push_back(kDigits[static_cast<unsigned char>(byte) >> 4]);
    hex.push_back(kDigits[static_cast<unsigned char>(byte) & 15]);
  }
  return hex;
}

// Gives at most `piece` bytes at a time.
inline ByteSource SourceOf(std::string_view bytes, std::size_t piece = std::string::npos) {
  return [bytes, piece](char* buffer, std::size_t size) mutable -> Result<std::size_t> {
    const std::string_view some = bytes.substr(0, std::min(size, piece));
    std::memcpy(buffer, some.data(), some.size());
    bytes.remove_prefix(some.size());
    return some.size();
  };
}

inline storage::KeyedEntry Item(std::string key, storage::Entry entry) {
  const std::size_t size = entry.value.size();
  return {std::move(key), std::make_shared<const storage::Entry>(std::move(entry)), size};
}

inline CheckpointHeader SomeHeader() {
  CheckpointHeader header;
  header.reason = CheckpointReason::kRequested;
  header.consistency = storage::SnapshotConsistency::kPointInTime;
  header.created_at = Timestamp{std::chrono::microseconds{1'795'240'000'123'456}};
  header.id = "nightly-1";
  header.store = "main";
  header.backend = "memory";
  return header;
}

struct Written {
  std::string bytes;
  CheckpointSummary summary;
};

inline Written Write(const std::vector<storage::KeyedEntry>& items, const WriterOptions& options = {}) {
  Written written;
  CheckpointWriter writer(
      [&written](std::string_view bytes) {
        written.bytes += bytes;
        return Status();
      },
      options);
  EXPECT_TRUE(writer.Begin(SomeHeader()).ok());
  for (const storage::KeyedEntry& item : items) EXPECT_TRUE(writer.Add(item.key, *item.entry).ok());
  auto summary = writer.Finish();
  EXPECT_TRUE(summary.ok());
  if (summary.ok()) written.summary = *summary;
  return written;
}

// All entries, or the error that reading ends with.
inline Result<std::vector<storage::KeyedEntry>> ReadAll(const ByteSource& source) {
  HOLDFAST_ASSIGN_OR_RETURN(CheckpointReader reader, CheckpointReader::Open(source));
  std::vector<storage::KeyedEntry> all;
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(auto some, reader.Next());
    if (some.empty()) return all;
    for (storage::KeyedEntry& item : some) all.push_back(std::move(item));
  }
}

inline bool Same(const storage::KeyedEntry& a, const storage::KeyedEntry& b) {
  return a.key == b.key && a.value_bytes == b.value_bytes && a.entry->value == b.entry->value &&
         a.entry->version == b.entry->version && a.entry->created_at == b.entry->created_at &&
         a.entry->updated_at == b.entry->updated_at && a.entry->expires_at == b.entry->expires_at &&
         a.entry->content_type == b.entry->content_type && a.entry->metadata == b.entry->metadata &&
         a.entry->tags == b.entry->tags;
}

}  // namespace holdfast::durability
