#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/time.h"
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

/// A kind of object in `gantry disk`.
struct Share {
  std::string kind;  ///< "images", "build cache", "containers", "logs", "volumes", "registry", "registry mirror"
  std::uint64_t count = 0;
  std::uint64_t used = 0;  ///< of those, by containers
  std::uint64_t bytes = 0;
  std::uint64_t reclaimable = 0;        ///< what prune would give back
  std::optional<std::uint64_t> budget;  ///< bytes; unset: none
  std::string how;                      ///< the command that gives it back
};
BOOST_DESCRIBE_STRUCT(Share, (), (kind, count, used, bytes, reclaimable, budget, how))

struct ImageRow {
  std::string id, name;
  std::uint64_t bytes = 0, shared = 0, unique = 0;
  std::int64_t containers = 0;
  std::optional<Timestamp> used;
};
BOOST_DESCRIBE_STRUCT(ImageRow, (), (id, name, bytes, shared, unique, containers, used))

struct ContainerRow {
  std::string id, name;
  bool running = false;
  std::uint64_t writable = 0, logs = 0;
};
BOOST_DESCRIBE_STRUCT(ContainerRow, (), (id, name, running, writable, logs))

struct VolumeRow {
  std::string name;
  bool anonymous = false;
  std::uint64_t bytes = 0;
  std::int64_t containers = 0;
};
BOOST_DESCRIBE_STRUCT(VolumeRow, (), (name, anonymous, bytes, containers))

struct Report {
  std::string data_dir;
  std::uint64_t size = 0, free = 0;  ///< of its file system
  std::uint64_t total = 0;           ///< all shares
  std::vector<Share> shares;
  std::vector<ImageRow> images;
  std::vector<ContainerRow> containers;
  std::vector<VolumeRow> volumes;
  std::uint64_t cache_layers = 0, cache_mounts = 0;
};
BOOST_DESCRIBE_STRUCT(Report, (),
                      (data_dir, size, free, total, shares, images, containers, volumes, cache_layers, cache_mounts))

}  // namespace gantry::disk
