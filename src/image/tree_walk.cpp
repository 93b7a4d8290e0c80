#include "tree_walk.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "gantry/base/error.h"

namespace gantry::image {
namespace {

void walk(int directory, const std::string& path, const std::function<void(const TreeEntry&)>& visit) {
  for (const auto& name : sorted_names(directory, path)) {
    std::string child = path.empty() ? name : path + "/" + name;
    struct stat info {};
    if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) throw_errno("inspect layer file " + child);
    visit({directory, name, child, info});
    if (!S_ISDIR(info.st_mode)) continue;
    int raw = ::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (raw < 0) throw_errno("open layer directory " + child);
    Fd below(raw);
    walk(raw, child, visit);
  }
}

}  // namespace

std::vector<std::string> sorted_names(int directory, const std::string& shown) {
  Fd copy(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy) throw_errno("open the directory \"" + shown + "\"");
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy.get()), ::closedir);
  if (!stream) throw_errno("read the directory \"" + shown + "\"");
  copy.release();
  std::vector<std::string> names;
  for (errno = 0; const dirent* entry = ::readdir(stream.get()); errno = 0) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  if (errno != 0) throw_errno("read the directory \"" + shown + "\"");
  std::ranges::sort(names);
  return names;
}

void walk_tree(int directory, const std::function<void(const TreeEntry&)>& visit) { walk(directory, "", visit); }

std::string through_descriptor(int parent, const std::string& name) {
  return "/proc/self/fd/" + std::to_string(parent) + "/" + name;
}

}  // namespace gantry::image
