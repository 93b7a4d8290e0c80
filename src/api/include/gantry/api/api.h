#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "gantry/api/gate.h"
#include "gantry/build/builder.h"
#include "gantry/disk/keeper.h"
#include "gantry/distribution/distribution.h"
#include "gantry/distribution/mirror.h"
#include "gantry/engine/engine.h"
#include "gantry/platform/stack_manager.h"
#include "gantry/registry/registry.h"

/// The api module owns the daemon's fronts: route tables over the modules below, and the gate before them. Handlers
/// translate between HTTP and those modules and decide nothing. docs/api.md describes the routes of version 1.
///
/// Life cycle: construct, give each handler to an http::Server, close the servers, then `close`.
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
  registry::Registry& registry;
  distribution::Distribution& distribution;
  distribution::Mirror& mirror;
  disk::Keeper& disk;
  Daemon daemon;
  std::filesystem::path registry_htpasswd;  ///< who may use the registry inside; empty: everybody who reaches it
  std::filesystem::path scratch_dir;        ///< on the file system of the layers; for bootstrap
};

class Api {
 public:
  Api(Parts parts, const Authenticator& authenticator, const Authorizer& authorizer, AuditLog& audit);
  ~Api();
  http::Handler handler();
  /// The Docker Engine API, for a socket of its own.
  http::Handler docker_handler();
  /// The registry (OCI distribution specification), for listeners of its own.
  http::Handler registry_handler();
  /// Stops and awaits what goes on without a client: changes whose client went away.
  task<> close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::api
