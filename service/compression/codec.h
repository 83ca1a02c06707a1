// Compression of single values: none, LZ4, Snappy, Zstandard. Pure functions over bytes, thread-safe.
//
// Decompressing takes bytes that may lie: it is told the size the result must have and the size it may have, and
// allocates the former only when it does not exceed the latter and when so few bytes can come to so many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result/result.h"

namespace holdfast::compression {

// The numbers are written to disk.
enum class Codec : std::uint8_t { kNone = 0, kLz4 = 1, kSnappy = 2, kZstd = 3 };

std::string_view CodecName(Codec codec);  // "none", "lz4", "snappy", "zstd"

struct Options {
  Codec codec = Codec::kNone;
  // 0 = the codec's own default. zstd: 1..19, higher is smaller and slower. lz4: 1 is the fast one, 2..12 are its high
  // compression. snappy has none.
  int level = 0;
  // Smaller inputs are left alone: what is saved does not pay for reading them.
  std::size_t threshold_bytes = 1024;

  bool operator==(const Options&) const = default;
};

// Bounds of Options::level: 0 to this.
int MaxLevel(Codec codec);

// nullopt when the input is left as it is: below the threshold, or not at least an eighth smaller afterwards.
std::optional<std::string> Compress(const Options& options, std::string_view input);

// Exactly `size` bytes. kCorruption when that is not what the input holds, when `size` is above `most`, or when the
// codec is none we know.
Result<std::string> Decompress(Codec codec, std::string_view input, std::size_t size, std::size_t most);

}  // namespace holdfast::compression
