#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "gantry/base/error.h"
#include "gantry/base/fd.h"
#include "gantry/ignore/ignore_file.h"

namespace gantry::ignore {

namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::vector<std::string> names_in(const Fd& directory, const std::string& shown) {
  Fd copy(::openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy) throw_errno("open " + shown);
  std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(copy.get()));
  if (!stream) throw_errno("read " + shown);
  copy.release();
  std::vector<std::string> names;
  for (errno = 0; const dirent* entry = ::readdir(stream.get()); errno = 0) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  if (errno != 0) throw_errno("read " + shown);
  std::sort(names.begin(), names.end());
  return names;
}

class Walk {
 public:
  Walk(const std::filesystem::path& root, const IgnoreFile& rules,
       const std::function<void(const ContextEntry&)>& visit)
      : root_(root), rules_(rules), visit_(visit) {}

  void run() {
    Fd root(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) throw_errno("open " + root_.string());
    enter(root, "");
  }

 private:
  void enter(const Fd& directory, const std::string& prefix) {
    for (const auto& name : names_in(directory, (root_ / prefix).string())) {
      ContextEntry entry{prefix.empty() ? name : prefix + "/" + name, {}};
      std::string shown = (root_ / entry.path).string();
      if (::fstatat(directory.get(), name.c_str(), &entry.status, AT_SYMLINK_NOFOLLOW) != 0)
        throw_errno("stat " + shown);
      bool excluded = rules_.excludes(entry.path);
      bool is_directory = S_ISDIR(entry.status.st_mode);
      if (!excluded) {
        announce_parents();
        visit_(entry);
      } else if (!is_directory || !rules_.may_include_below(entry.path)) {
        continue;
      }
      if (!is_directory) continue;
      if (excluded) pending_.push_back(entry);
      Fd below(::openat(directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!below) throw_errno("open " + shown);
      enter(below, entry.path);
      if (!pending_.empty() && pending_.back().path == entry.path) pending_.pop_back();
    }
  }

  void announce_parents() {
    for (const auto& parent : pending_) visit_(parent);
    pending_.clear();
  }

  std::filesystem::path root_;
  const IgnoreFile& rules_;
  const std::function<void(const ContextEntry&)>& visit_;
  std::vector<ContextEntry> pending_;  ///< excluded directories above, visited when something below them is
};

}  // namespace

void walk_context(const std::filesystem::path& root, const IgnoreFile& rules,
                  const std::function<void(const ContextEntry&)>& visit) {
  Walk(root, rules, visit).run();
}

}  // namespace gantry::ignore
