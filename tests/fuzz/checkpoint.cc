// Checkpoints. Any bytes are read or refused as `corruption`, without a read past them and without taking more memory
// than they come to; what is written comes back.
#include <cstring>
#include <string>

#include "service/durability/checkpoint_reader.h"
#include "service/durability/checkpoint_writer.h"
#include "service/storage/crc32c.h"
#include "service/storage/entry_attributes.h"
#include "tests/fuzz/input.h"

namespace holdfast::durability {
namespace {

using fuzz::Check;

ByteSource SourceOf(std::string_view bytes) {
  return [bytes](char* buffer, std::size_t size) mutable -> Result<std::size_t> {
    const std::string_view some = bytes.substr(0, size);
    std::memcpy(buffer, some.data(), some.size());
    bytes.remove_prefix(some.size());
    return some.size();
  };
}

void CheckAnyBytes(std::string_view bytes) {
  const auto valid = ValidateCheckpoint(SourceOf(bytes));
  if (valid.ok()) {
    Check(valid->summary.file_bytes == bytes.size(), "a checkpoint is all of its bytes");
    return;
  }
  const ErrorCode code = valid.error().code();
  Check(code == ErrorCode::kCorruption || code == ErrorCode::kFailedPrecondition, "damage is called so");
}

// Bytes as a block with a checksum that fits, which no fuzzer finds.
void CheckBlock(std::string_view bytes) {
  std::string block(1, static_cast<char>(PartType::kBlock));
  block += bytes;
  storage::AppendFixed(block, storage::Crc32c(block));
  std::vector<storage::KeyedEntry> entries;
  static_cast<void>(DecodeBlock(block, &entries).ok());
  std::string header(bytes);
  storage::AppendFixed(header, storage::Crc32c(header));
  static_cast<void>(DecodeHeader(header).ok());
}

void CheckRoundTrip(fuzz::Input input) {
  std::string bytes;
  CheckpointWriter writer(
      [&bytes](std::string_view some) {
        bytes += some;
        return Status();
      },
      {.threads = 1});
  Check(writer.Begin({}).ok(), "a header is written");
  std::uint64_t added = 0;
  for (std::string_view key = input.Line(); !key.empty() && added < 100; key = input.Line()) {
    storage::Entry entry;
    entry.version = input.Number();
    entry.value = input.Line();
    if (writer.Add(key, entry).ok()) ++added;
  }
  Check(writer.Finish().ok(), "a footer is written");
  const auto valid = ValidateCheckpoint(SourceOf(bytes));
  Check(valid.ok() && valid->summary.entries == added, "what was written is read");
}

}  // namespace
}  // namespace holdfast::durability

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::durability;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckAnyBytes(bytes);
  CheckBlock(bytes);
  CheckRoundTrip(holdfast::fuzz::Input(data, size));
  return 0;
}
