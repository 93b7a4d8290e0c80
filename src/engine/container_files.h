#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gantry/engine/types.h"

/// The files every container gets from the engine under /etc. Written before each start, on the container's own
/// directory, so that a read-only root has them too.
namespace gantry::engine {

/// What /etc/hosts says of a container that is linked to.
std::string linked_line(const std::string& address, const Link& link, const std::string& name);
/// `addresses` of this start, and the lines of `linked` containers; "host-gateway" as an extra host's address is the
/// first network's gateway. Pure.
std::string hosts_text(const ContainerInfo& info, const std::vector<NetworkAddress>& addresses,
                       const std::string& linked = {});
/// The usual resolv.conf with what the specification says instead. Pure.
std::string resolv_text(const ContainerSpec& spec, const std::string& usual);

/// Blocking.
void write_container_files(const std::filesystem::path& directory, const ContainerInfo& info,
                           const std::vector<NetworkAddress>& addresses, const std::string& resolv_conf,
                           const std::string& linked = {});

/// `text` of its /etc/hosts with the lines of its own name made to fit `addresses`; whatever else is there stays. Pure.
std::string hosts_changed(const std::string& text, const ContainerInfo& info,
                          const std::vector<NetworkAddress>& addresses);

/// `text` of its /etc/hosts without what `linked` lines said of that alias; whatever else is there stays. Pure.
std::string hosts_unlinked(const std::string& text, const Link& link);

/// The directories of a container yet to come, on their file system. Blocking.
std::filesystem::path make_container_directories(const std::filesystem::path& parent);
/// Moves a container's directory out of sight, which costs nothing, so that nobody waits for each of its files to be
/// deleted. Nothing there is fine.
void throw_away(const std::filesystem::path& directory, const std::filesystem::path& trash);
/// Deletes one thing of the trash: false when there is none.
bool remove_one(const std::filesystem::path& trash);
/// They become the container's, unless it has some.
void adopt_directories(const std::filesystem::path& made, const std::filesystem::path& directory);

}  // namespace gantry::engine
