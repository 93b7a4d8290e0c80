#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "gantry/base/fd.h"

namespace gantry {

/// Whole file as text. Throws Error (not_found and so on); more than `limit` bytes is an Error (exhausted).
std::string read_file(const std::filesystem::path& path, std::size_t limit = 64u << 20);
/// The same, with "is not there" as an ordinary answer.
std::optional<std::string> read_file_if_exists(const std::filesystem::path& path, std::size_t limit = 64u << 20);

/// Replaces `path` atomically and durably: temporary file beside it, fsync, rename, fsync of the directory.
void write_file_durably(const std::filesystem::path& path, std::string_view data, unsigned mode = 0600);
/// Writes without syncing, for what a reboot may lose (run directory).
void write_file(const std::filesystem::path& path, std::string_view data, unsigned mode = 0600);

/// mkdir -p; new directories get `mode`. Throws Error.
void make_directories(const std::filesystem::path& path, unsigned mode = 0755);
/// Removes a tree without following links and without crossing into another file system. A path that is not there
/// is fine. Throws Error on the first thing that cannot be removed.
void remove_tree(const std::filesystem::path& path);
/// Bytes of all regular files below, as `ls` shows them. What goes away meanwhile, or cannot be read, counts nothing.
std::uint64_t tree_size(const std::filesystem::path& path);
/// fsync of a directory, so that names created in it survive power loss.
void sync_directory(const std::filesystem::path& path);

/// A directory that is removed with its content in the destructor.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::filesystem::path& parent, std::string_view prefix = "tmp-");
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory();
  const std::filesystem::path& path() const { return path_; }
  /// Gives the directory up: it is kept.
  std::filesystem::path release() { return std::exchange(path_, {}); }

 private:
  std::filesystem::path path_;
};

}  // namespace gantry
