#pragma once

#include <cstddef>

/// What the daemon says to the process that shims are copies of, over a SOCK_SEQPACKET socket: the shim's kind as text,
/// and with it the descriptor that becomes the shim's 3. The answer is a pid_t, or the negative errno of the copy.
namespace gantry::runtime::shim {

inline constexpr std::size_t kMaxKind = 15;

}  // namespace gantry::runtime::shim
