#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gantry/engine/types.h"
#include "gantry/runtime/runtime.h"

/// Namespaces that are not a container's own. Pure.
namespace gantry::engine {

NamespaceMode mode_of(const std::optional<Namespace>& wanted);
/// A network namespace of its own, be it empty: neither the host's nor another container's.
bool has_own_network(const ContainerSpec& spec);
/// As every container has it that asks for nothing: what has been made ahead will do.
bool has_ordinary_isolation(const ContainerSpec& spec);
/// The host's namespaces belong to the host's user namespace, and so must who uses them.
bool needs_host_users(const ContainerSpec& spec);
/// Whose namespaces it joins: names or ids, as the specification says them. Each once.
std::vector<std::string> joined_containers(const Namespaces& wanted);
/// Replaces each by what `identify` says.
void rename_joined(Namespaces* wanted, const std::function<std::string(const std::string&)>& identify);

/// With `pid_of` for those that are joined; `shares_users` when their user namespace is not the host's.
runtime::NamespaceChoices choose_namespaces(const Namespaces& wanted, bool shares_users,
                                            const std::function<pid_t(const std::string&)>& pid_of);

/// Error invalid for modes that do not exist, and for settings that contradict each other.
void require_valid_namespaces(const ContainerSpec& spec);

}  // namespace gantry::engine
