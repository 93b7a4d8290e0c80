#pragma once

#include <string>

#include "gantry/engine/types.h"

/// Docker's phrases for people.
namespace gantry::api::docker {

/// "About a minute", "2 hours", "3 weeks".
std::string human_duration(Duration duration);
/// The column STATUS of `docker ps`: "Up 3 minutes (healthy)", "Exited (0) 2 hours ago".
std::string status_text(const engine::ContainerInfo& info);
/// created, running, paused, restarting, removing, exited.
std::string state_name(const engine::ContainerInfo& info);
bool is_running(const engine::ContainerInfo& info);

}  // namespace gantry::api::docker
