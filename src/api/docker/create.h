#pragma once

#include "body.h"
#include "gantry/engine/types.h"

/// From Docker's words for a new container to the engine's. Pure. Error (invalid) with Docker's texts where clients
/// look for them.
namespace gantry::api::docker {

/// What came with versions after `minor` was not meant by who speaks that one, and what was the default then is meant.
void forget_newer_members(boost::json::object* body, int minor);
/// "ConsoleSize": [rows, columns]; nullopt when it is not given or nothing.
std::optional<engine::TerminalSize> read_console_size(const Body& body);
/// The body of POST /containers/create: Config with HostConfig and NetworkingConfig.
engine::ContainerSpec container_spec(const Body& body, std::string name);

/// An EndpointSettings, of a container or of POST /networks/{id}/connect.
void read_attachment(const Body& endpoint, engine::NetworkAttachment* attachment);
/// HostConfig alone.
void read_host_config(const Body& host, engine::ContainerSpec* spec);
/// The resources of a HostConfig, and of POST /containers/{id}/update.
enum class Limits { at_creation, of_update };
void read_resources(const Body& host, engine::Resources* resources, Limits when = Limits::at_creation);
std::optional<engine::RestartPolicy> read_restart(const Body& host);

/// "source:target:options", as in HostConfig.Binds.
engine::Mount parse_bind(const std::string& text);
/// "80/tcp" or "80".
std::pair<std::uint16_t, engine::Protocol> parse_port(const std::string& text);

}  // namespace gantry::api::docker
