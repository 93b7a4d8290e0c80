#include "layer/copy_step.h"

#include <archive.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "gantry/base/files.h"
#include "gantry/image/archive.h"
#include "plan/paths.h"

namespace gantry::build {

namespace {

struct CloseArchive {
  void operator()(::archive* handle) const { ::archive_read_free(handle); }
};

class Copying {
 public:
  Copying(const CopyPlan& plan, const TreeView& source, const TreeView& target, const std::filesystem::path& upper,
          std::filesystem::path scratch, const Look& look, const std::vector<FetchedFile>& fetched)
      : plan_(plan),
        fetched_(fetched),
        source_(source),
        target_(target),
        upper_(upper),
        look_(look),
        writer_(upper, target, look),
        scratch_(std::move(scratch)) {}

  void run(const std::vector<SourceMatch>& matches) {
    locate(matches);
    for (const auto& match : matches) take(match);
    for (const auto& file : fetched_) take_fetched(file);
    for (const auto& file : plan_.files) writer_.write_file(file_target(file.name), file.content);
  }

 private:
  void locate(const std::vector<SourceMatch>& matches) {
    auto found = target_.resolve(plan_.destination, true);
    path_ = found.path;
    path_.insert(path_.end(), found.missing.begin(), found.missing.end());
    exists_ = found.node.has_value();
    bool slash = plan_.destination.ends_with('/');
    into_directory_ = slash || (exists_ && found.node->is_directory());
    bool directories = std::any_of(matches.begin(), matches.end(), [](const auto& match) { return match.directory; });
    if (exists_ && !found.node->is_directory() && (slash || directories))
      throw Error(ErrorKind::conflict, "the destination \"" + plan_.destination + "\" is a file in the image");
    if (plan_.parents) into_directory_ = true;
    if (matches.size() + plan_.files.size() + fetched_.size() > 1 && !into_directory_)
      throw Error(ErrorKind::invalid, "several sources for the destination \"" + plan_.destination + "\"",
                  "end the destination in \"/\"");
  }

  // With --parents: the directories on the way to the source, from the "/./" in it on.
  std::vector<std::string> base_for(const SourceMatch& match) const {
    auto target = path_;
    if (!plan_.parents) return target;
    auto parts = components_of(match.kept);
    if (!match.directory && !parts.empty()) parts.pop_back();
    target.insert(target.end(), parts.begin(), parts.end());
    return target;
  }

  void take_fetched(const FetchedFile& file) {
    if (file.tree) {
      TreeView tree({file.path});
      return writer_.copy_children(tree, tree.root(), "", path_);
    }
    Fd fd = open_file(file.path.string(), O_RDONLY);
    if (plan_.extract_remote && is_archive(fd.get())) return extract(fd, file.name);
    TreeView view({file.path.parent_path()});
    auto node = view.child(view.root(), file.path.filename().string(), file.name);
    if (!node) throw Error(ErrorKind::internal, "the file fetched for \"" + file.name + "\" is gone");
    writer_.copy(view, *node, file.name, file_target(file.name));
  }

  std::vector<std::string> file_target(const std::string& name) const {
    auto target = path_;
    if (into_directory_) target.push_back(name);
    return target;
  }

  void take(const SourceMatch& match) {
    auto node = open_match(source_, match);
    if (node.is_directory()) return take_directory(match, node);
    if (plan_.extract_archives && S_ISREG(node.status.st_mode)) {
      Fd fd = reopen(node, O_RDONLY);
      if (is_archive(fd.get())) return extract(fd, match.name);
    }
    auto target = plan_.parents ? base_for(match) : file_target(match.name);
    if (plan_.parents) target.push_back(match.name);
    writer_.copy(source_, node, match.path, target);
  }

  // A directory stands for its content. A destination that it brings into being looks like it; the root of the context
  // is only a place on the host and gives nothing of itself.
  void take_directory(const SourceMatch& match, const Node& node) {
    bool as_a_whole = !exists_ && !match.path.empty() && !path_.empty();
    if (plan_.parents) {
      auto target = base_for(match);
      if (target == path_) return writer_.copy_children(source_, node, match.path, path_);
      writer_.copy(source_, node, match.path, target);
    } else if (as_a_whole) {
      writer_.copy(source_, node, match.path, path_);
    } else {
      writer_.copy_children(source_, node, match.path, path_);
    }
  }

  void extract(const Fd& fd, const std::string& name) {
    if (::lseek(fd.get(), 0, SEEK_SET) < 0) throw_errno("read \"" + name + "\"");
    TemporaryDirectory unpacked(scratch_, "archive-");
    Fd directory = open_file(unpacked.path().string(), O_RDONLY | O_DIRECTORY);
    try {
      image::unpack_archive(fd.get(), directory.get(), {.whiteouts = false, .attributes = true});
    } catch (Error& error) {
      throw error.within("archive \"" + name + "\"");
    }
    // An archive brings its owners and modes along; only --chown is stronger.
    auto look = look_;
    if (plan_.owner.empty()) look.owner.reset();
    look.mode.reset();
    TreeView view({unpacked.path()});
    UpperWriter(upper_, target_, look).copy_children(view, view.root(), "", path_);
  }

  const CopyPlan& plan_;
  const std::vector<FetchedFile>& fetched_;
  const TreeView& source_;
  const TreeView& target_;
  std::filesystem::path upper_;
  Look look_;
  UpperWriter writer_;
  std::filesystem::path scratch_;
  std::vector<std::string> path_;
  bool exists_ = false;
  bool into_directory_ = false;
};

}  // namespace

bool is_archive(int fd) {
  std::unique_ptr<::archive, CloseArchive> reader(::archive_read_new());
  ::archive* handle = reader.get();
  archive_read_support_filter_gzip(handle);
  archive_read_support_filter_bzip2(handle);
  archive_read_support_filter_xz(handle);
  archive_read_support_filter_zstd(handle);
  archive_read_support_format_tar(handle);
  archive_entry* entry = nullptr;
  return archive_read_open_fd(handle, fd, 64u << 10) == ARCHIVE_OK &&
         archive_read_next_header(handle, &entry) == ARCHIVE_OK;
}

void copy_into(const CopyPlan& plan, const std::vector<SourceMatch>& matches, const TreeView& source,
               const TreeView& target, const std::filesystem::path& upper, const std::filesystem::path& scratch,
               const Look& look, const std::vector<FetchedFile>& fetched) {
  Copying(plan, source, target, upper, scratch, look, fetched).run(matches);
}

}  // namespace gantry::build
