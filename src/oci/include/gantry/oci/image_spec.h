#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/json.h"

/// OCI image specification 1.1 (config.md, manifest.md, descriptor.md) and Docker's health check extension. Member
/// names are the specification's JSON keys, so that reading and writing need no further code.
namespace gantry::oci {

struct HealthConfig {
  std::vector<std::string> Test;  ///< ["NONE"], ["CMD", ...], ["CMD-SHELL", "..."]
  std::optional<std::int64_t> Interval, Timeout, StartPeriod, StartInterval;  ///< nanoseconds
  std::optional<int> Retries;
};
BOOST_DESCRIBE_STRUCT(HealthConfig, (), (Test, Interval, Timeout, StartPeriod, StartInterval, Retries))

struct Empty {};
BOOST_DESCRIBE_STRUCT(Empty, (), ())

struct RunConfig {
  std::string User;
  std::map<std::string, Empty> ExposedPorts;  ///< "80/tcp"
  std::vector<std::string> Env;
  std::optional<std::vector<std::string>> Entrypoint;
  std::optional<std::vector<std::string>> Cmd;
  std::map<std::string, Empty> Volumes;
  std::string WorkingDir;
  std::map<std::string, std::string> Labels;
  std::optional<std::string> StopSignal;
  std::optional<HealthConfig> Healthcheck;
  std::optional<std::vector<std::string>> Shell;
  std::vector<std::string> OnBuild;
};
BOOST_DESCRIBE_STRUCT(RunConfig, (),
                      (User, ExposedPorts, Env, Entrypoint, Cmd, Volumes, WorkingDir, Labels, StopSignal, Healthcheck,
                       Shell, OnBuild))

struct RootFs {
  std::string type = "layers";
  std::vector<std::string> diff_ids;
};
BOOST_DESCRIBE_STRUCT(RootFs, (), (type, diff_ids))

struct History {
  std::optional<std::string> created, created_by, author, comment;
  std::optional<bool> empty_layer;
};
BOOST_DESCRIBE_STRUCT(History, (), (created, created_by, author, comment, empty_layer))

struct ImageConfig {
  std::optional<std::string> created;  ///< RFC 3339
  std::optional<std::string> author;
  std::string architecture = "amd64";
  std::string os = "linux";
  std::optional<std::string> variant;
  RunConfig config;
  RootFs rootfs;
  std::vector<History> history;
};
BOOST_DESCRIBE_STRUCT(ImageConfig, (), (created, author, architecture, os, variant, config, rootfs, history))

struct Descriptor {
  std::string mediaType;
  std::string digest;
  std::uint64_t size = 0;
  std::optional<std::map<std::string, std::string>> annotations;
};
BOOST_DESCRIBE_STRUCT(Descriptor, (), (mediaType, digest, size, annotations))

struct Manifest {
  int schemaVersion = 2;
  std::string mediaType = "application/vnd.oci.image.manifest.v1+json";
  Descriptor config;
  std::vector<Descriptor> layers;
  std::optional<std::map<std::string, std::string>> annotations;
};
BOOST_DESCRIBE_STRUCT(Manifest, (), (schemaVersion, mediaType, config, layers, annotations))

}  // namespace gantry::oci
