#pragma once

#include "gantry/build/builder.h"
#include "gantry/registry/registry.h"

namespace gantry::daemon {

/// What builds take from the network, by the client of registries. Base images are pulled without sign-in.
class BuildRemote : public build::Remote {
 public:
  explicit BuildRemote(registry::Registry& registry) : registry_(registry) {}
  task<> pull(std::string reference, std::string platform, std::function<void(std::string)> tell) override;
  task<> fetch(std::string url, std::filesystem::path into) override;

 private:
  registry::Registry& registry_;
};

}  // namespace gantry::daemon
