#include "tree_sink.h"

#include <sys/sysmacros.h>

namespace gantry::image {

void TreeSink::require_file(const EntryName& name) {
  if (name.is_root()) name.refuse("the root is not a directory");
}

void TreeSink::require_link(const EntryName& name, const EntryName& target) {
  if (name.is_root() || target.is_root()) name.refuse("the root cannot be linked");
  if (name.path() == target.path()) name.refuse("is a hard link to itself");
}

void TreeSink::require_node(const EntryName& name, mode_t type, dev_t device) {
  if (type == S_IFCHR && device == makedev(0, 0))
    name.refuse("is the character device 0:0, which overlayfs takes for a deletion");
}

void TreeSink::refuse_twice(const EntryName& name) {
  name.refuse("is in the archive twice, as a directory and as something else");
}

void TreeSink::refuse_missing(const EntryName& name, const EntryName& target) {
  name.refuse("is a hard link to \"" + target.path() + "\", which the archive does not hold before it");
}

void TreeSink::refuse_directory(const EntryName& name, const EntryName& target) {
  name.refuse("is a hard link to the directory \"" + target.path() + "\"");
}

}  // namespace gantry::image
