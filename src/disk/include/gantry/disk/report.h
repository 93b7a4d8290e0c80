#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/time.h"

/// What `gantry disk` shows, as it travels over the wire (docs/api.md): plain types, for the client as well.
namespace gantry::disk {

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
