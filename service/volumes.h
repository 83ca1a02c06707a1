// How full the file systems are that backends keep files on: metrics, and a part of /healthz that the operator reads to
// let volumes grow. Asked of the file system and of no backend, so that it is told also while one does not open for
// want of room.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "service/settings.h"

namespace holdfast::service {

struct Volume {
  std::string backend;  // its name
  std::string path;     // of its files; may not be there yet
};

// Of the backends that keep files.
std::vector<Volume> VolumesOf(const ServiceSettings& settings);

struct VolumeSpace {
  std::uint64_t capacity_bytes = 0;
  std::uint64_t available_bytes = 0;  // to this process; what a file system keeps for root does not count
};

// statvfs(3) of the path, or of the nearest folder above it that is there. Nothing when it fails, or when the file
// system has no size of its own.
std::optional<VolumeSpace> SpaceAt(const std::string& path);

// `health` is a JSON object with members; returned with "volumes":[{"backend","capacity_bytes","available_bytes"}]
// added.
std::string WithVolumes(std::string health, const std::vector<Volume>& volumes);

// holdfast_volume_capacity_bytes{backend} and holdfast_volume_available_bytes{backend}, as they are when asked for.
void ExportVolumes(const std::vector<Volume>& volumes, metrics::Registry& registry);

}  // namespace holdfast::service
