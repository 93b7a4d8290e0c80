#pragma once

#include <filesystem>
#include <memory>

#include "gantry/base/stream.h"
#include "packets.h"

namespace gantry::runtime {

/// A connection to a program's streams through its shim. When it returns, the shim has taken the client in: everything
/// the program writes from now on arrives.
task<std::unique_ptr<StdioSession>> open_session(std::filesystem::path directory);
/// The same without the wait: the shim takes it in before it does what it is told later. Blocks shortly, any thread.
std::unique_ptr<StdioSession> connect_session(asio::any_io_executor executor, const std::filesystem::path& directory);

}  // namespace gantry::runtime
