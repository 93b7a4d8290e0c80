#pragma once

#include <cstdint>
#include <optional>

#include "gantry/build/builder.h"
#include "gantry/engine/engine.h"

namespace gantry::engine {

/// What all builds together may use, so that they do not starve what runs. Unset memory: three quarters of the
/// machine's.
struct BuildBudget {
  std::uint64_t cpu_shares = 256;  ///< a quarter of what one container gets when all want all
  std::uint16_t io_weight = 100;   ///< a fifth of a container's, where the machine has weights
  std::int64_t pids = 8192;        ///< of one RUN
  std::optional<std::uint64_t> memory;
};

/// A build's RUN goes the road of every container: isolated, on the network `default`, labelled, hidden from lists
/// unless asked for, and removed before `run` returns, so that its upper directory is at rest.
class BuildExecutor : public build::Executor {
 public:
  explicit BuildExecutor(Engine& engine, BuildBudget budget = {});
  task<int> run(build::RunRequest request, std::function<void(std::string_view)> output) override;

 private:
  ContainerSpec spec_of(const build::RunRequest& request) const;
  Engine& engine_;
  BuildBudget budget_;
};

}  // namespace gantry::engine
