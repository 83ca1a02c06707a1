#include "service/compression/codec.h"

#include <fmt/format.h>
#include <lz4.h>
#include <lz4hc.h>
#include <snappy.h>
#include <zstd.h>

#include <limits>
#include <memory>

namespace holdfast::compression {
namespace {

// A context is a megabyte or more of tables: made once for each thread, not once for each value.
struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

ZSTD_CCtx* CompressionContext() {
  static thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  return context.get();
}

ZSTD_DCtx* DecompressionContext() {
  static thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  return context.get();
}

constexpr std::size_t kMostInput = LZ4_MAX_INPUT_SIZE;  // the least of the three

// How many bytes one byte of input can come to at most; a size above it is a lie. LZ4: a byte of length adds 255.
// Snappy: a copy of 64 bytes takes 3. Zstandard: a block of at most 128 KiB takes 4 bytes at least.
std::size_t MostExpansion(Codec codec) {
  switch (codec) {
    case Codec::kNone:
      return 1;
    case Codec::kLz4:
      return 256;
    case Codec::kSnappy:
      return 64;
    case Codec::kZstd:
      return ZSTD_BLOCKSIZE_MAX;
  }
  return 0;
}

// 0 when it failed.
std::size_t CompressInto(const Options& options, std::string_view input, std::string& output) {
  switch (options.codec) {
    case Codec::kNone:
      return 0;
    case Codec::kLz4: {
      const auto size = static_cast<int>(input.size());
      output.resize(static_cast<std::size_t>(LZ4_compressBound(size)));
      const auto room = static_cast<int>(output.size());
      const int written = options.level <= 1 ? LZ4_compress_default(input.data(), output.data(), size, room)
                                             : LZ4_compress_HC(input.data(), output.data(), size, room, options.level);
      return static_cast<std::size_t>(written);
    }
    case Codec::kSnappy: {
      std::size_t written = 0;
      output.resize(snappy::MaxCompressedLength(input.size()));
      snappy::RawCompress(input.data(), input.size(), output.data(), &written);
      return written;
    }
    case Codec::kZstd: {
      if (CompressionContext() == nullptr) return 0;
      output.resize(ZSTD_compressBound(input.size()));
      const std::size_t written = ZSTD_compressCCtx(CompressionContext(), output.data(), output.size(), input.data(),
                                                    input.size(), options.level);
      return ZSTD_isError(written) != 0 ? 0 : written;
    }
  }
  return 0;
}

bool DecompressInto(Codec codec, std::string_view input, std::string& output) {
  switch (codec) {
    case Codec::kNone:
      return false;
    case Codec::kLz4: {
      const int written = LZ4_decompress_safe(input.data(), output.data(), static_cast<int>(input.size()),
                                              static_cast<int>(output.size()));
      return written >= 0 && static_cast<std::size_t>(written) == output.size();
    }
    case Codec::kSnappy: {
      std::size_t size = 0;
      return snappy::GetUncompressedLength(input.data(), input.size(), &size) && size == output.size() &&
             snappy::RawUncompress(input.data(), input.size(), output.data());
    }
    case Codec::kZstd: {
      if (DecompressionContext() == nullptr) return false;
      const std::size_t written =
          ZSTD_decompressDCtx(DecompressionContext(), output.data(), output.size(), input.data(), input.size());
      return ZSTD_isError(written) == 0 && written == output.size();
    }
  }
  return false;
}

Error Damaged(std::string_view what) {
  return {ErrorCode::kCorruption,
          fmt::format("a compressed value is damaged ({}): restore it from a backup and check the disk", what)};
}

}  // namespace

std::string_view CodecName(Codec codec) {
  switch (codec) {
    case Codec::kNone:
      return "none";
    case Codec::kLz4:
      return "lz4";
    case Codec::kSnappy:
      return "snappy";
    case Codec::kZstd:
      return "zstd";
  }
  return "unknown";
}

int MaxLevel(Codec codec) {
  switch (codec) {
    case Codec::kLz4:
      return LZ4HC_CLEVEL_MAX;
    case Codec::kZstd:
      return 19;  // the ones above need memory beyond all proportion to a value
    case Codec::kNone:
    case Codec::kSnappy:
      break;
  }
  return 0;
}

std::optional<std::string> Compress(const Options& options, std::string_view input) {
  if (options.codec == Codec::kNone || input.empty() || input.size() < options.threshold_bytes ||
      input.size() > kMostInput) {
    return std::nullopt;
  }
  std::string output;
  const std::size_t written = CompressInto(options, input, output);
  if (written == 0 || written > input.size() - input.size() / 8) return std::nullopt;
  output.resize(written);
  return output;
}

Result<std::string> Decompress(Codec codec, std::string_view input, std::size_t size, std::size_t most) {
  const std::size_t expansion = MostExpansion(codec);
  if (codec == Codec::kNone || expansion == 0) return Damaged("an unknown codec");
  if (size > most || size > kMostInput || input.size() > kMostInput || size / expansion > input.size()) {
    return Damaged("its size is impossible");
  }
  std::string output(size, '\0');
  if (!DecompressInto(codec, input, output)) return Damaged(CodecName(codec));
  return output;
}

}  // namespace holdfast::compression
