#pragma once

#include <cstddef>
#include <cstdint>

/// When each step of a start was done, for `gantry run --trace`.
namespace gantry::shim::trace {

/// What children mark from here on counts, too.
void share();
/// `name`: a literal, without tab or line feed. Past the last place, nothing.
void mark(const char* name);
/// Lines "name<tab>nanoseconds of the monotonic clock"; returns the length.
std::size_t write(char* buffer, std::size_t size);

}  // namespace gantry::shim::trace
