#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace gantry::image {

/// One tar header as it is to be written.
struct TarEntry {
  std::string path;  ///< without a leading '/', directories with a trailing one
  char type =
      '0';  ///< POSIX ustar type flag: '0' file, '1' hard link, '2' symbolic link, '3' and '4' devices, '5', '6'
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;
  std::string link;
  unsigned major = 0;
  unsigned minor = 0;
  std::map<std::string, std::string> xattrs;
};

/// The header blocks: a ustar header, with a PAX extended header (IEEE 1003.1, "pax Interchange Format") in front when
/// something does not fit: a path or link longer than 100 bytes, an owner, size or time outside ustar's range, an
/// extended attribute (SCHILY.xattr.<name>). PAX records are sorted by their key. The same entry always gives the same
/// bytes.
std::string tar_header(const TarEntry& entry);

/// Zeros after a content of `size` bytes up to the next block of 512.
std::string tar_padding(std::uint64_t size);

/// Two blocks of zeros.
std::string tar_end();

}  // namespace gantry::image
