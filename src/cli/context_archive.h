#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "gantry/ignore/ignore_file.h"

namespace gantry::cli {

/// A build context as a tar stream, made while it is sent: entries in byte order of their paths, links kept as links,
/// owner root, what the ignore rules exclude left out. Memory does not grow with the size of the files. Sockets are
/// left out. Throws Error naming the file that cannot be read.
class ContextArchive {
 public:
  ContextArchive(std::filesystem::path root, ignore::IgnoreFile rules);
  ~ContextArchive();
  /// The next piece; empty at the end.
  std::string next();
  std::uint64_t bytes() const;  ///< given out so far

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::cli
