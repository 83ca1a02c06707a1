// The parts of a checkpoint as bytes; docs/formats/checkpoint.md is the published description, and a golden test holds
// the two together. Pure functions, thread-safe.
//
// header · blocks of entries in the order of their keys · footer, and nothing behind it. Header, blocks and footer have
// a CRC-32C each, which finds damage before any of it is used; the footer has the SHA-256 of everything before it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result/result.h"
#include "service/durability/sha256_stream.h"
#include "service/storage/snapshot.h"
#include "service/storage/types.h"

namespace holdfast::durability {

inline constexpr std::uint32_t kCheckpointFormat = 1;
// Magic, format, length.
inline constexpr std::size_t kHeaderFrameBytes = 16;
inline constexpr std::size_t kMaxHeaderBytes = 4096;
// Type, codec, bytes stored, bytes of the entries, entries.
inline constexpr std::size_t kBlockFrameBytes = 14;
inline constexpr std::size_t kChecksumBytes = 4;
inline constexpr std::size_t kFooterBytes = 1 + 4 * 8 + 32 + kChecksumBytes;
// A block is begun anew when another entry would make it larger; an entry beyond it has a block of its own.
inline constexpr std::size_t kBlockBytes = std::size_t{1} << 20;
// Key, attributes and value of the largest entry there may be.
inline constexpr std::size_t kMaxBlockBytes = (std::size_t{1} << 30) + (std::size_t{1} << 20);

enum class PartType : std::uint8_t { kBlock = 1, kFooter = 2 };

// The numbers are written to disk.
enum class CheckpointKind : std::uint8_t {
  kFull = 1,
  kIncrement = 2,  // of a backup: the entries of the ranges that have changed since another one
  kRanges = 3,     // of a backup: what ranges the entries are cut into (range_index.h)
};
enum class CheckpointReason : std::uint8_t { kRequested = 1, kPeriodic = 2, kShutdown = 3, kUndo = 4 };
std::string_view ReasonName(CheckpointReason reason);  // "requested", "periodic", "shutdown", "undo"

struct CheckpointHeader {
  CheckpointKind kind = CheckpointKind::kFull;
  CheckpointReason reason = CheckpointReason::kRequested;
  storage::SnapshotConsistency consistency = storage::SnapshotConsistency::kPerEntry;
  Timestamp created_at{};
  std::string id;
  std::string store;    // as it was called
  std::string backend;  // Backend::kind() of what it was on
  Digest parent{};      // of kIncrement: of the manifest of the backup that it builds on
};
// kFailedPrecondition unless it is of that kind.
Status CheckKind(const CheckpointHeader& header, CheckpointKind wanted);

// What the footer says.
struct CheckpointSummary {
  std::uint64_t entries = 0;
  std::uint64_t entry_bytes = 0;  // of keys and values
  std::uint64_t blocks = 0;
  std::uint64_t file_bytes = 0;  // of header, blocks and footer
  Digest digest{};
};

// "the checkpoint is damaged (what): ...", kCorruption.
Error Damaged(std::string_view what);

std::string EncodeHeader(const CheckpointHeader& header);
// Of the first kHeaderFrameBytes: how many bytes the header has with them. kCorruption.
Result<std::size_t> HeaderBytes(std::string_view frame);
// Of all of them. kFailedPrecondition when it is sound and of a format that this program does not know.
Result<CheckpointHeader> DecodeHeader(std::string_view bytes);

// Added to `block`.
void AppendEntry(std::string* block, std::string_view key, const storage::Entry& entry);
// All of a block, as it stands in the file; `entries` are the bytes that AppendEntry made.
std::string EncodeBlock(std::string_view entries, std::uint32_t count, int level);

struct BlockFrame {
  std::uint8_t codec = 0;
  std::uint32_t stored_bytes = 0;
  std::uint32_t entry_bytes = 0;
  std::uint32_t entries = 0;
};
// `frame`: kBlockFrameBytes.
Result<BlockFrame> DecodeBlockFrame(std::string_view frame);
// `block`: all of it. What EncodeBlock was given.
struct UnpackedBlock {
  std::string entries;
  std::uint32_t count = 0;
};
Result<UnpackedBlock> UnpackBlock(std::string_view block);
// `block`: all of it. Adds its entries to `entries`.
Status DecodeBlock(std::string_view block, std::vector<storage::KeyedEntry>* entries);

// The footer without digest and checksum, which are made of it.
std::string EncodeFooterHead(const CheckpointSummary& summary);
std::string EncodeFooter(std::string head, const Digest& digest);
// `footer`: kFooterBytes.
Result<CheckpointSummary> DecodeFooter(std::string_view footer);

}  // namespace holdfast::durability
