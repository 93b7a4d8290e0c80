#pragma once

#include <boost/describe.hpp>

#include <string>
#include <vector>

namespace gantry::image {

class ImageStore;

enum class DifferenceKind { modified, added, deleted };
BOOST_DESCRIBE_ENUM(DifferenceKind, modified, added, deleted)

struct Difference {
  DifferenceKind kind = DifferenceKind::modified;
  std::string path;               ///< "/etc/passwd"
  std::vector<std::string> what;  ///< of what is modified: "type", "content", "mode", "owner", "attributes", "link"
};
BOOST_DESCRIBE_STRUCT(Difference, (), (kind, path, what))

/// What is different in the tree of the second image, sorted by path. Of a directory that is gone only its own name is
/// said; times alone make no difference. Layers that both have are not looked into. Blocking.
std::vector<Difference> compare_images(ImageStore& images, const std::string& before, const std::string& after);

}  // namespace gantry::image
