#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "gantry/api/gate.h"
#include "gantry/build/builder.h"
#include "gantry/engine/engine.h"
#include "gantry/platform/stack_manager.h"

/// The api module owns the daemon's fronts: route tables over the modules below, and the gate before them. Handlers
/// translate between HTTP and those modules and decide nothing. docs/api.md describes the routes of version 1.
///
/// Life cycle: construct, give `handler()` to http::Server, close the server, then `close`.
namespace gantry::api {

/// What the daemon says about itself.
struct Daemon {
  std::string version;
  std::string instance;
  std::filesystem::path data_dir;
  std::filesystem::path run_dir;
};

struct Parts {
  asio::any_io_executor executor;
  engine::Engine& engine;
  platform::StackManager& stacks;
  build::Builder& builder;
  Daemon daemon;
  std::filesystem::path scratch_dir;  ///< on the file system of the layers; for bootstrap
};

class Api {
 public:
  Api(Parts parts, const Authenticator& authenticator, const Authorizer& authorizer, AuditLog& audit);
  ~Api();
  http::Handler handler();
  /// Stops and awaits what goes on without a client: changes whose client went away.
  task<> close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::api
