#pragma once

#include <string>
#include <string_view>

namespace gantry::engine {

/// "SIGTERM", "term", "15", "SIGRTMIN+3". Error invalid names the text.
int signal_number(std::string_view text);
/// "SIGTERM"; real-time signals relative to SIGRTMIN.
std::string signal_name(int number);

}  // namespace gantry::engine
