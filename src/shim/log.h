#pragma once

#include <cstddef>
#include <cstdint>

/// The log of the container (format: gantry/runtime/log_file.h): one record a line, longer lines in pieces of 16 KiB
/// marked partial. Rotated by size. When the disk is full, records are dropped and counted, and a record that says so
/// is written as soon as there is room again; the container never waits.
namespace gantry::shim::log {

/// `directory`: descriptor of the container's state directory; it must stay open.
void open(int directory, std::uint64_t max_size, int max_files);
void write(int stream, const char* data, std::size_t size);
/// Writes the unfinished last lines.
void finish();

}  // namespace gantry::shim::log
