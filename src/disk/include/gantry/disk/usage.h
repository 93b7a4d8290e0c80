#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gantry/image/image_store.h"
#include "gantry/volume/volume_store.h"

/// Who owns the bytes, measured.
namespace gantry::disk {

struct ImageUse {
  image::ImageInfo info;
  std::uint64_t shared = 0;  ///< of those layers that other images have as well
  std::uint64_t unique = 0;
  std::int64_t containers = 0;
};

struct ContainerUse {
  std::string id;
  std::string name;
  std::string image_id;
  bool running = false;
  std::uint64_t writable = 0;  ///< its own layer
  std::uint64_t below = 0;     ///< its image
  std::uint64_t logs = 0;
};

struct VolumeUse {
  volume::VolumeInfo info;
  std::uint64_t bytes = 0;
  std::int64_t containers = 0;
};

struct CacheUse {
  std::uint64_t layers = 0;
  std::uint64_t mounts = 0;
};

struct RegistryUse {
  std::uint64_t repositories = 0;
  std::uint64_t bytes = 0;
};

struct FileSystem {
  std::uint64_t size = 0;
  std::uint64_t free = 0;  ///< for everybody
};

/// Which parts to measure: walking what containers and volumes wrote takes time.
struct Parts {
  bool images = true, containers = true, volumes = true, cache = true, registry = true;
};

struct Usage {
  FileSystem file_system;
  std::uint64_t layers = 0;  ///< of all images, each once
  std::uint64_t replaced = 0;
  std::vector<ImageUse> images;
  std::vector<ContainerUse> containers;
  std::vector<VolumeUse> volumes;
  CacheUse cache;
  RegistryUse registry;  ///< what was pushed to the registry inside
  RegistryUse mirror;    ///< what it has of others
};

}  // namespace gantry::disk
