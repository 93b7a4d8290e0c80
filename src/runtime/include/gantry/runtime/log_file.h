#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gantry/base/stream.h"
#include "gantry/base/time.h"

/// The log of one container: `<state_dir>/log` and rotated `log.1`, `log.2`, ... Written by the shim only, read here.
///
/// Format: records, each a 20-byte little-endian header { u32 magic 'GLOG', i64 nanoseconds since 1970, u32 length,
/// u8 stream (1 out, 2 err), u8 flags (1: the line goes on in the next record), u16 zero } and `length` bytes. A torn
/// last record is ignored; a damaged place is skipped to the next magic.
namespace gantry::runtime {

inline constexpr std::uint32_t kLogMagic = 0x474f4c47;

struct LogEntry {
  Timestamp time{};
  StdStream stream = StdStream::out;
  bool partial = false;
  std::string data;
};

/// Reads forward through the rotated files, oldest first, and goes on as the file grows or is rotated.
class LogReader {
 public:
  explicit LogReader(std::filesystem::path state_dir);
  ~LogReader();
  /// Positions so that the last `lines` complete lines come next. Blocking.
  void seek_tail(std::size_t lines);
  /// The next complete record, or nullopt at the present end. Blocking (short reads of a regular file).
  std::optional<LogEntry> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::runtime
