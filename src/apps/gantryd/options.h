#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "gantry/base/log.h"

namespace gantry::daemon {

struct Options {
  std::filesystem::path data_dir = "/var/lib/gantry";
  std::filesystem::path run_dir = "/run/gantry";
  std::string group = "gantry";
  std::string publish_address = "127.0.0.1";
  log::Level log_level = log::Level::info;
  bool check = false;
  bool json = false;
};

/// Reads the command line. Returns an exit status instead when there is nothing more to do (--help, a usage error).
std::optional<int> parse(int argc, char** argv, Options& options);

}  // namespace gantry::daemon
