#pragma once

#include <string>
#include <vector>

#include "gantry/registry/registry.h"
#include "stop_flag.h"

namespace gantry::registry {

/// Whether the registry accepts these; what it gives to be kept instead of the password, or "". Blocking.
std::string sign_in(const Options& options, const std::string& server, const Credentials& credentials, StopFlag& stop);

class Remote;
std::vector<std::string> read_tags(Remote& remote, const std::string& what, std::size_t limit);
std::vector<std::string> list_tags(const Options& options, const std::string& repository,
                                   const std::optional<Credentials>& credentials, std::size_t limit, StopFlag& stop);

}  // namespace gantry::registry
