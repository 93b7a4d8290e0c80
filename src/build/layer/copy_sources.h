#pragma once

#include <string>
#include <vector>

#include "gantry/base/error.h"
#include "layer/tree_view.h"
#include "plan/plan.h"

namespace gantry::build {

/// One file or directory that a COPY or ADD takes.
struct SourceMatch {
  std::string name;  ///< its last component as written; empty for the root
  std::string path;  ///< below the root of the view, without links
  bool directory = false;
  std::string kept;  ///< what --parents keeps of the path as written: from "/./" on, or all
};
/// Descriptors are few and matches may be many, so each is opened when its turn comes.
Node open_match(const TreeView& view, const SourceMatch& match);

/// What the sources of a step mean in `view`: patterns matched, links followed inside the view. A source that is not
/// there is a finding; a pattern that matches nothing is fine. `where` names the view: "the build context".
std::vector<SourceMatch> find_sources(const std::vector<Word>& sources, const TreeView& view, const std::string& where,
                                      std::vector<Finding>& findings);

/// Names, kinds, modes, contents, and owners when `with_owners`; not times. Equal digests: equal copies.
std::string digest_of(const std::vector<SourceMatch>& matches, const TreeView& view, bool with_owners);

}  // namespace gantry::build
