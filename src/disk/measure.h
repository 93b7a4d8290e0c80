#pragma once

#include <filesystem>
#include <vector>

#include "gantry/disk/usage.h"
#include "gantry/distribution/mirror.h"

namespace gantry::disk {

FileSystem file_system_of(const std::filesystem::path& path);

/// A file of a log that is not written any more: `log.1`, `log.2`, ...
struct RotatedLog {
  std::filesystem::path path;
  std::uint64_t bytes = 0;
  std::int64_t changed = 0;  ///< nanoseconds since 1970: several files are filled in one second
};
struct Logs {
  std::uint64_t bytes = 0;  ///< all of it
  std::vector<RotatedLog> rotated;
};
/// Of the container whose present log file this is. What is not there takes nothing.
Logs logs_at(const std::string& log_path);

/// From the image store's rows; nothing is walked.
void measure_images(image::ImageStore& images, Usage& out);
/// The same of the registry inside. Unfinished uploads are left out: they end by themselves.
void measure_registry(distribution::Distribution& registry, distribution::Mirror& mirror, Usage& out);

}  // namespace gantry::disk
