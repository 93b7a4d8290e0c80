#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "command.h"

namespace gantry::cli {

/// All commands, group by group.
std::string overview();
/// One command: usage, options, examples. `prepared` has the global options declared too.
std::string command_help(const Command& command, const Options& options);
/// For `gantry help WORDS`: a command, a family ("image"), or with no word the overview. Throws as `unknown_command`.
std::string help_for(const std::vector<std::string>& words);
/// gantry(1) in roff.
std::string manual_page();
/// Error (invalid) with the nearest command.
[[noreturn]] void unknown_command(const std::string& word);
/// The global options, which every command has.
void declare_global(Options& options, GlobalFlags& flags);

}  // namespace gantry::cli
