#pragma once

#include <filesystem>
#include <string>

#include "gantry/base/fd.h"

namespace gantry::daemon {

/// Takes programs and libraries out of this process's memory until they are used again: what starting touched, and what
/// the kernel mapped beside it, is more than half of them and not needed any more. They come back page by page, from
/// the page cache.
void forget_start_pages();

/// Takes a directory for this process: makes it and locks `<dir>/lock`. Error conflict when another gantryd has it
/// and keeps it for a second.
Fd claim(const std::filesystem::path& directory, unsigned mode);

/// Four letters and digits, chosen once per data directory and kept in `<data_dir>/instance`. They are part of every
/// name this instance uses on the host (links, nftables table, cgroups), so that several live side by side.
std::string instance_name(const std::filesystem::path& data_dir);

/// Tells systemd that the daemon is ready, when it was started as a notify service (sd_notify(3)).
void notify_ready();

/// Where a helper program of ours is: beside this program, or in ../libexec/gantry/.
std::filesystem::path find_own_program(const std::string& name);

}  // namespace gantry::daemon
