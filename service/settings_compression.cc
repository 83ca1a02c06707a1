#include "service/settings_compression.h"

#include <fmt/format.h>

namespace holdfast::service {
namespace {

constexpr std::string_view kAuto = "auto";

}  // namespace

compression::Options CompressionOf(const config::Settings& settings, const std::string& name,
                                   compression::Codec automatic, std::vector<config::Problem>* problems) {
  const auto row = [&](std::string_view of) { return fmt::format("backends.{}.{}", name, of); };
  compression::Options options;
  options.codec = automatic;
  const std::string chosen = settings.String(row("compression"));
  for (const auto codec :
       {compression::Codec::kNone, compression::Codec::kLz4, compression::Codec::kSnappy, compression::Codec::kZstd}) {
    if (compression::CodecName(codec) == chosen) options.codec = codec;  // neither is auto, or what is refused below
  }
  options.level = static_cast<int>(settings.Integer(row("compression_level")));
  options.threshold_bytes = static_cast<std::size_t>(settings.Bytes(row("compression_threshold")));
  if (chosen == migrations::ValueCompressionName(migrations::ValueCompression::kPglz)) {
    problems->push_back({fmt::format("setting {}", row("compression")),
                         "is PostgreSQL's own; give lz4, snappy, zstd or none, or leave it out"});
  }
  const int most = compression::MaxLevel(options.codec);
  if (options.level > most) {
    problems->push_back({fmt::format("setting {}", row("compression_level")),
                         fmt::format("{} has levels up to {}; lower it or choose another compression",
                                     compression::CodecName(options.codec), most)});
  }
  return options;
}

migrations::ValueStorage ValueStorageOf(const config::Settings& settings, const std::string& name,
                                        std::vector<config::Problem>* problems) {
  using migrations::ValueCompression;
  const auto row = [&](std::string_view of) { return fmt::format("backends.{}.{}", name, of); };
  migrations::ValueStorage wanted;
  const std::string chosen = settings.String(row("compression"));
  for (const auto compression : {ValueCompression::kNone, ValueCompression::kPglz, ValueCompression::kLz4}) {
    if (migrations::ValueCompressionName(compression) == chosen) wanted.compression = compression;
  }
  if (!wanted.compression && chosen != kAuto) {
    problems->push_back({fmt::format("setting {}", row("compression")),
                         fmt::format("PostgreSQL has no {}; give lz4, pglz or none, or leave it out", chosen)});
  }
  const std::string threshold = row("compression_threshold");
  if (!settings.IsSet(threshold)) return wanted;
  const std::int64_t bytes = settings.Bytes(threshold);
  if (bytes < migrations::kLeastTupleTarget || bytes > migrations::kMostTupleTarget) {
    problems->push_back({fmt::format("setting {}", threshold),
                         fmt::format("is {} bytes, PostgreSQL takes {} to {}; give one of these, or leave it out",
                                     bytes, migrations::kLeastTupleTarget, migrations::kMostTupleTarget)});
  } else {
    wanted.tuple_target = static_cast<int>(bytes);
  }
  return wanted;
}

}  // namespace holdfast::service
