#pragma once

#include <cstdint>
#include <optional>
#include <string>

/// Byte ranges of requests: RFC 9110 (Range), and the form the OCI distribution specification gives Content-Range.
namespace gantry::api::registry_front {

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t size = 0;
};

/// What a Range field asks for of `size` bytes. nullopt: all (no field, several ranges, another unit, or malformed:
/// then the field is to be ignored). Throws RangeError when it begins behind the end.
std::optional<ByteRange> parse_range(const std::string* field, std::uint64_t size);

/// Where a chunk of an upload begins ("0-1023"), nullopt without the field. Throws RegistryError (BLOB_UPLOAD_INVALID).
std::optional<std::uint64_t> parse_chunk_start(const std::string* field);

}  // namespace gantry::api::registry_front
