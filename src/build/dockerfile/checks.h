#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/dockerfile.h"

/// What can be told about one instruction by itself. Private to the build module.
namespace gantry::build {

void check_instruction(const Instruction& instruction, char escape, std::vector<Finding>& findings);

/// "SIGTERM", "TERM", "15", "SIGRTMIN+3".
bool is_signal(std::string_view text);
/// "80", "80/tcp", "8000-8010/udp" -> "80/tcp", ... nullopt when malformed.
std::optional<std::vector<std::string>> parse_ports(std::string_view text);
bool is_remote_source(std::string_view text);
bool is_git_source(std::string_view text);

}  // namespace gantry::build
