#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/log.h"
#include "registry_listener.h"
#include "gantry/disk/budget.h"

namespace gantry::daemon {

struct Options {
  std::filesystem::path data_dir = "/var/lib/gantry";
  std::filesystem::path run_dir = "/run/gantry";
  std::string group = "gantry";
  std::string publish_address = "127.0.0.1";
  std::string docker_tls;  ///< ADDRESS:PORT of the Docker Engine API over TLS; empty: none
  std::filesystem::path tls_certificate;
  std::filesystem::path tls_key;
  std::filesystem::path tls_authority;
  std::vector<std::string> registry_mirrors;  ///< of docker.io, asked in this order
  RegistryOptions registry;
  disk::Budgets budgets;
  log::Level log_level = log::Level::info;
  bool check = false;
  bool json = false;
};

/// Reads the command line. Returns an exit status instead when there is nothing more to do (--help, a usage error).
std::optional<int> parse(int argc, char** argv, Options& options);

}  // namespace gantry::daemon
