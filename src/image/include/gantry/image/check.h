#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <string>
#include <vector>

/// What a check of images against their digests finds (ImageStore::check).
namespace gantry::image {

struct FileFault {
  std::string path;  ///< in the layer; empty: the layer as a whole
  std::string problem;
};
BOOST_DESCRIBE_STRUCT(FileFault, (), (path, problem))

enum class DamagedPart {
  layer,
  configuration,
  manifest,
  packages,  ///< the list of packages of a base image
  blob,      ///< one that no image has
  row,       ///< what the store says contradicts the configuration
};
BOOST_DESCRIBE_ENUM(DamagedPart, layer, configuration, manifest, packages, blob, row)

struct Damage {
  DamagedPart part = DamagedPart::layer;
  std::string digest;               ///< diff id of the layer, digest of the blob, id of the image
  std::vector<std::string> images;  ///< that have it: a name of each, or its id
  std::string problem;
  std::vector<FileFault> files;  ///< the first of them
  std::uint64_t more_files = 0;
  bool repaired = false;
  std::string fix;  ///< what to do, when it is not repaired
};
BOOST_DESCRIBE_STRUCT(Damage, (), (part, digest, images, problem, files, more_files, repaired, fix))

struct CheckReport {
  std::uint64_t images = 0;
  std::uint64_t layers = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;             ///< of the layers' tars and of blobs
  std::vector<std::string> unchecked;  ///< layers whose tar cannot be made again from their files: read, not compared
  std::vector<Damage> damages;
};
BOOST_DESCRIBE_STRUCT(CheckReport, (), (images, layers, files, bytes, unchecked, damages))

}  // namespace gantry::image
