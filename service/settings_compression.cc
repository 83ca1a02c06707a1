#include "service/settings_compression.h"

#include <fmt/format.h>

namespace holdfast::service {

compression::Options CompressionOf(const config::Settings& settings, const std::string& name,
                                   compression::Codec automatic, std::vector<config::Problem>* problems) {
  const auto row = [&](std::string_view of) { return fmt::format("backends.{}.{}", name, of); };
  compression::Options options;
  options.codec = automatic;
  const std::string chosen = settings.String(row("compression"));
  for (const auto codec :
       {compression::Codec::kNone, compression::Codec::kLz4, compression::Codec::kSnappy, compression::Codec::kZstd}) {
    if (compression::CodecName(codec) == chosen) options.codec = codec;  // the table let nothing else through but auto
  }
  options.level = static_cast<int>(settings.Integer(row("compression_level")));
  options.threshold_bytes = static_cast<std::size_t>(settings.Bytes(row("compression_threshold")));
  const int most = compression::MaxLevel(options.codec);
  if (options.level > most) {
    problems->push_back({fmt::format("setting {}", row("compression_level")),
                         fmt::format("{} has levels up to {}; lower it or choose another compression",
                                     compression::CodecName(options.codec), most)});
  }
  return options;
}

}  // namespace holdfast::service
