#include "propagation.h"

#include <filesystem>
#include <sstream>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/json.h"

namespace gantry::engine {
namespace {

struct MountPoint {
  std::string path;
  bool shared = false;
  bool slave = false;
};

bool lies_below(const std::string& path, const std::string& mount) {
  if (mount == "/" || path == mount) return true;
  return path.starts_with(mount) && path[mount.size()] == '/';
}

// The lines of mountinfo come in the order of mounting: of those on one place, the last one is on top.
MountPoint mount_of(const std::string& path) {
  MountPoint out;
  std::istringstream lines(read_file("/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word, target;
    for (int i = 0; i < 5 && words >> word; ++i) target = word;
    if (!lies_below(path, target) || target.size() < out.path.size()) continue;
    out = {.path = target};
    while (words >> word && word != "-") {
      out.shared = out.shared || word.starts_with("shared:");
      out.slave = out.slave || word.starts_with("master:");
    }
  }
  return out;
}

}  // namespace

void require_propagation(const std::string& source, Propagation wanted) {
  if (wanted == Propagation::rprivate || wanted == Propagation::private_) return;
  auto mount = mount_of(std::filesystem::canonical(source).string());
  bool follows = wanted == Propagation::slave || wanted == Propagation::rslave;
  if (mount.shared || (follows && mount.slave)) return;
  throw Error(
      ErrorKind::invalid,
      "bind mount of " + source + ": propagation " + json::name_of(wanted) + " is not possible, because " + mount.path +
          " is " + (mount.slave ? "a slave mount" : "a private mount"),
      "make it shared on the host, with 'mount --make-shared " + mount.path + "', or leave the propagation out");
}

}  // namespace gantry::engine
