#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace gantry::host {

/// Runs `attempt` on a thread of its own in a new network namespace that is gone afterwards; nothing on the host
/// changes. Returns an empty string, or why it failed.
std::string in_throwaway_network(const std::function<std::string()>& attempt);

/// Makes a bridge and a veth pair in the current network namespace. Empty, or why not.
std::string try_bridge_and_veth();

/// Makes an id-mapped clone of `directory`'s mount without attaching it anywhere. Empty, or why not.
std::string try_id_mapped_mount(const std::filesystem::path& directory);

/// Whether the running kernel has `module` built in, loaded, or loadable.
bool kernel_has(std::string_view file_system_or_module);

}  // namespace gantry::host
