#pragma once

#include <termios.h>

#include <optional>

#include "gantry/engine/types.h"

namespace gantry::cli {

bool is_terminal(int fd);
/// nullopt when `fd` is no terminal.
std::optional<engine::TerminalSize> terminal_size(int fd);

/// A terminal in raw mode for as long as the object lives. The settings are also put back by `restore_terminal`, which
/// is safe in a signal handler, so that no way out of the program leaves a raw terminal behind.
class RawMode {
 public:
  explicit RawMode(int fd);
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;
  ~RawMode();
};

/// Undoes the RawMode that is active, if any. Async-signal-safe.
void restore_terminal();

}  // namespace gantry::cli
