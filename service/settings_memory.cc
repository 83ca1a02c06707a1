#include "service/settings_memory.h"

#include <fmt/format.h>

#include <array>

#include "service/setting_values.h"
#include "service/settings_compression.h"

namespace holdfast::service {
namespace {

constexpr std::array<std::string_view, 5> kRows = {"max_bytes", "eviction", "compression", "compression_level",
                                                   "compression_threshold"};

}  // namespace

std::span<const std::string_view> MemoryRows() {
  return kRows;
}

storage::MemoryOptions MemoryOf(const config::Settings& settings, const std::string& name,
                                const storage::Limits& limits, std::vector<config::Problem>* problems) {
  const auto row = [&](std::string_view of) { return fmt::format("backends.{}.{}", name, of); };
  storage::MemoryOptions options;
  options.limits = limits;
  options.max_bytes = settings.Bytes(row("max_bytes"));
  options.eviction = Chosen<storage::Eviction>(settings.String(row("eviction")), {{"none", storage::Eviction::kNone},
                                                                                  {"lru", storage::Eviction::kLru},
                                                                                  {"lfu", storage::Eviction::kLfu},
                                                                                  {"ttl", storage::Eviction::kTtl}});
  options.compression = CompressionOf(settings, name, compression::Codec::kNone, problems);
  return options;
}

}  // namespace holdfast::service
