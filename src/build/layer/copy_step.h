#pragma once

#include <filesystem>

#include "layer/copy_sources.h"
#include "layer/tree_view.h"
#include "layer/upper_writer.h"
#include "plan/plan.h"

namespace gantry::build {

/// A file that was fetched from a URL, alone in a directory; or a tree.
struct FetchedFile {
  std::string name;  ///< what it is called where it goes
  std::filesystem::path path;
  bool tree = false;  ///< what is in the directory goes right to the destination
};

/// Carries a COPY or ADD out into the upper directory of `target`. `scratch` is a directory for archives on their way;
/// what is in it afterwards is the caller's to remove.
void copy_into(const CopyPlan& plan, const std::vector<SourceMatch>& matches, const TreeView& source,
               const TreeView& target, const std::filesystem::path& upper, const std::filesystem::path& scratch,
               const Look& look, const std::vector<FetchedFile>& fetched = {});

/// Whether this file is a tar, possibly compressed, that libarchive can read.
bool is_archive(int fd);

}  // namespace gantry::build
