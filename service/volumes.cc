#include "service/volumes.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <variant>

#include "service/json/json_writer.h"

namespace holdfast::service {
namespace {

using Figure = std::uint64_t VolumeSpace::*;

void ExportFigure(const std::vector<Volume>& volumes, Figure figure, std::string name, std::string help,
                  metrics::Registry& registry) {
  registry.CollectGauges(std::move(name), std::move(help), [volumes, figure] {
    std::vector<metrics::Sample> samples;
    for (const Volume& volume : volumes) {
      const std::optional<VolumeSpace> space = SpaceAt(volume.path);
      if (space) samples.push_back({{{"backend", volume.backend}}, static_cast<double>((*space).*figure)});
    }
    return samples;
  });
}

}  // namespace

std::vector<Volume> VolumesOf(const ServiceSettings& settings) {
  std::vector<Volume> volumes;
  for (const BackendSettings& backend : settings.backends) {
    const auto* rocksdb = std::get_if<storage::RocksDbOptions>(&backend.options);
    if (rocksdb != nullptr) volumes.push_back({backend.name, rocksdb->path});
  }
  return volumes;
}

std::optional<VolumeSpace> SpaceAt(const std::string& path) {
  std::error_code error;
  std::filesystem::path folder = std::filesystem::absolute(path, error);
  if (error) return std::nullopt;
  struct statvfs found {};
  while (::statvfs(folder.c_str(), &found) != 0) {
    if (errno != ENOENT || folder == folder.parent_path()) return std::nullopt;
    folder = folder.parent_path();
  }
  if (found.f_blocks == 0) return std::nullopt;
  const auto bytes = [&](fsblkcnt_t blocks) { return static_cast<std::uint64_t>(blocks) * found.f_frsize; };
  return VolumeSpace{.capacity_bytes = bytes(found.f_blocks), .available_bytes = bytes(found.f_bavail)};
}

std::string WithVolumes(std::string health, const std::vector<Volume>& volumes) {
  json::JsonWriter list;
  list.BeginArray();
  for (const Volume& volume : volumes) {
    const std::optional<VolumeSpace> space = SpaceAt(volume.path);
    if (!space) continue;
    list.BeginObject().Key("backend").String(volume.backend);
    list.Key("capacity_bytes").Unsigned(space->capacity_bytes);
    list.Key("available_bytes").Unsigned(space->available_bytes).EndObject();
  }
  list.EndArray();
  // In front of the brace that closes the object.
  return health.insert(health.rfind('}'), ",\"volumes\":" + list.Take());
}

void ExportVolumes(const std::vector<Volume>& volumes, metrics::Registry& registry) {
  ExportFigure(volumes, &VolumeSpace::capacity_bytes, "holdfast_volume_capacity_bytes",
               "Size of the file system with the backend's files.", registry);
  ExportFigure(volumes, &VolumeSpace::available_bytes, "holdfast_volume_available_bytes",
               "What is free of the file system with the backend's files.", registry);
}

}  // namespace holdfast::service
