#pragma once

#include <boost/describe.hpp>

#include <optional>
#include <string>
#include <vector>

/// Where an image came from. Kept beside the image, not in its configuration: the same inputs give the same image,
/// whoever built it and from whatever commit (docs/decisions/0013).
namespace gantry::build {

/// What the client found out about the context.
struct Checkout {
  std::string repository;  ///< URL of the remote, without credentials; empty: there is none
  std::string revision;    ///< commit
  std::string path;        ///< of the context in the repository; empty: its root
  bool dirty = false;      ///< the context holds changes that are in no commit
};
BOOST_DESCRIBE_STRUCT(Checkout, (), (repository, revision, path, dirty))

struct BaseImage {
  std::string reference;  ///< as the Dockerfile names it
  std::string id;
  std::string digest;  ///< of its manifest
};
BOOST_DESCRIBE_STRUCT(BaseImage, (), (reference, id, digest))

struct Provenance {
  std::optional<Checkout> source;
  std::string dockerfile;         ///< path in the context
  std::string dockerfile_digest;  ///< sha256 of its text
  std::string target;
  std::string platform;
  std::vector<BaseImage> bases;  ///< of the stages that were built, and what they copied from
  std::string builder;           ///< "gantry 0.3.0"
  std::string built;             ///< RFC 3339; of the last build that gave this image
};
BOOST_DESCRIBE_STRUCT(Provenance, (), (source, dockerfile, dockerfile_digest, target, platform, bases, builder, built))

}  // namespace gantry::build
