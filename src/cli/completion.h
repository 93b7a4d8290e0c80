#pragma once

#include <string>
#include <string_view>

namespace gantry::cli {

/// The completion script for "bash", "zsh" or "fish": made of the table of commands, so that it always fits.
/// Throws Error (invalid) for another shell.
std::string completion_script(std::string_view shell);

}  // namespace gantry::cli
