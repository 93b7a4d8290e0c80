#pragma once

#include <cstring>
#include <string>

namespace gantry::cli {

/// "SIGTERM"
inline std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name == nullptr ? std::to_string(number) : "SIG" + std::string(name);
}

}  // namespace gantry::cli
