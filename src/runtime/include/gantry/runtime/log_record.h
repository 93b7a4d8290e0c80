#pragma once

#include <cstddef>
#include <cstdint>

/// The record header of a container's log (see log_file.h), shared with the shim, which uses no library.
namespace gantry::runtime {

inline constexpr std::uint32_t kRecordMagic = 0x474f4c47;  // "GLOG"
inline constexpr std::size_t kMaxRecord = 16384;
inline constexpr std::uint8_t kFlagPartial = 1;

struct __attribute__((packed)) RecordHeader {
  std::uint32_t magic = kRecordMagic;
  std::int64_t time = 0;
  std::uint32_t length = 0;
  std::uint8_t stream = 1;
  std::uint8_t flags = 0;
  std::uint16_t zero = 0;
};
static_assert(sizeof(RecordHeader) == 20);

}  // namespace gantry::runtime
