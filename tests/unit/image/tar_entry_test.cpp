#include "tar_entry.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <memory>

namespace gantry::image {
namespace {

// Another program's reader decides whether a header says what it should.
TarEntry read_back(const TarEntry& entry) {
  auto data = tar_header(entry) + tar_end();
  EXPECT_EQ(data.size() % 512, 0u);
  std::unique_ptr<::archive, int (*)(::archive*)> reader(archive_read_new(), archive_read_free);
  archive_read_support_format_tar(reader.get());
  archive_read_open_memory(reader.get(), data.data(), data.size());
  ::archive_entry* header = nullptr;
  EXPECT_EQ(archive_read_next_header(reader.get(), &header), ARCHIVE_OK) << archive_error_string(reader.get());
  TarEntry out;
  out.path = archive_entry_pathname(header);
  out.type = entry.type;
  out.mode = archive_entry_perm(header);
  out.uid = static_cast<std::uint32_t>(archive_entry_uid(header));
  out.gid = static_cast<std::uint32_t>(archive_entry_gid(header));
  out.size = static_cast<std::uint64_t>(archive_entry_size(header));
  out.mtime = archive_entry_mtime(header);
  const char* link = archive_entry_hardlink(header) ? archive_entry_hardlink(header) : archive_entry_symlink(header);
  out.link = link != nullptr ? link : "";
  out.major = static_cast<unsigned>(archive_entry_rdevmajor(header));
  out.minor = static_cast<unsigned>(archive_entry_rdevminor(header));
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  archive_entry_xattr_reset(header);
  while (archive_entry_xattr_next(header, &name, &value, &size) == ARCHIVE_OK)
    out.xattrs[name] = std::string(static_cast<const char*>(value), size);
  return out;
}

void round_trip(const TarEntry& entry) {
  auto out = read_back(entry);
  EXPECT_EQ(out.path, entry.path);
  EXPECT_EQ(out.mode, entry.mode);
  EXPECT_EQ(out.uid, entry.uid);
  EXPECT_EQ(out.gid, entry.gid);
  EXPECT_EQ(out.mtime, entry.mtime);
  EXPECT_EQ(out.link, entry.link);
  EXPECT_EQ(out.major, entry.major);
  EXPECT_EQ(out.minor, entry.minor);
  EXPECT_EQ(out.xattrs, entry.xattrs);
}

TEST(TarEntry, AnOrdinaryFileIsOneBlock) {
  TarEntry entry{.path = "usr/bin/true", .mode = 04755, .uid = 1, .gid = 2, .mtime = 1700000000};
  EXPECT_EQ(tar_header(entry).size(), 512u);
  round_trip(entry);
}

TEST(TarEntry, WhatDoesNotFitGoesIntoAPaxHeader) {
  round_trip({.path = std::string(100, 'p')});
  round_trip({.path = std::string(101, 'p')});
  round_trip({.path = std::string(400, 'p') + "/" + std::string(200, 'q')});
  round_trip({.path = "big-owner", .uid = 4000000000u, .gid = 2097152});
  round_trip({.path = "old", .mtime = -5});
  round_trip({.path = "late", .mtime = 1LL << 40});
  round_trip({.path = "link", .type = '2', .link = std::string(300, 'l')});
  round_trip({.path = "hard", .type = '1', .link = std::string(99, 'l')});
  round_trip({.path = "device", .type = '3', .major = 300, .minor = 70000});
  round_trip({.path = "attributes", .xattrs = {{"user.a", std::string("x\0y", 3)}, {"user.b", "1"}}});
}

TEST(TarEntry, PaxLengthsCountThemselves) {
  for (std::size_t length = 101; length < 1100; ++length)
    EXPECT_EQ(read_back({.path = std::string(length, 'x')}).path.size(), length);
}

TEST(TarEntry, LargeSizes) {
  EXPECT_EQ(read_back({.path = "f", .size = 8589934591u}).size, 8589934591u);
  EXPECT_EQ(read_back({.path = "f", .size = 8589934592u}).size, 8589934592u);
}

}  // namespace
}  // namespace gantry::image
