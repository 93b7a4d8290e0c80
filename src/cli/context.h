#pragma once

#include <boost/json.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "console.h"
#include "gantry/base/async.h"
#include "gantry/base/http_client.h"
#include "progress.h"
#include "signals.h"

namespace gantry::cli {

/// What every command can set, before or after its name.
struct GlobalFlags {
  std::string host;
  std::string format = "table";
  std::string progress = "auto";
  bool help = false;
};

/// What a command works with. Lives in `run` for as long as the command.
struct Context {
  GlobalFlags flags;
  std::map<std::string, std::string> environment;
  std::filesystem::path directory;  ///< the caller's
  Console console;
  http::Client client;
  Signals& signals;
  /// Set by a command that treats signals itself (run, exec, attach): `run` then no longer cancels it on SIGINT.
  bool owns_signals = false;
  /// Signals that arrive while `owns_signals`; nullptr until the command sets it.
  std::function<void(int)> on_signal;

  bool json() const { return flags.format == "json"; }
  std::unique_ptr<Progress> progress(bool quiet = false) const;
  /// One value, indented, with --format json.
  void print(const boost::json::value& value) const;
};

}  // namespace gantry::cli
