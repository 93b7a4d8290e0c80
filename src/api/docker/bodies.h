#pragma once

#include "body.h"
#include "gantry/engine/types.h"
#include "gantry/network/network_manager.h"
#include "gantry/oci/image_spec.h"
#include "gantry/registry/credentials.h"
#include "gantry/volume/volume_store.h"

/// What the bodies of requests mean, but for a container's (create.h). Pure. Error (invalid) or (unsupported).
namespace gantry::api::docker {

/// POST /networks/create.
network::NetworkSpec network_spec(const Body& body);
/// POST /volumes/create; the name stays empty when none is given.
volume::VolumeSpec volume_spec(const Body& body);
/// POST /containers/{id}/exec.
engine::ExecSpec exec_spec(const Body& body, int minor);
/// POST /commit. nullopt: the body says nothing.
std::optional<oci::RunConfig> run_config(const Body& body);
/// POST /auth, without the server.
registry::Credentials credentials(const Body& body);

}  // namespace gantry::api::docker
