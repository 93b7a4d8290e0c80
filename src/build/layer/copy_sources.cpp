#include "layer/copy_sources.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "gantry/ignore/pattern.h"
#include "layer/key.h"
#include "plan/paths.h"

namespace gantry::build {

namespace {

std::string last_component(std::string_view text) {
  auto parts = components_of(text);
  return parts.empty() || parts.back() == ".." ? "" : parts.back();
}

std::string plain(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return out;
}

// "a/b/./c/d" keeps "c/d"; `path` is what it was found to mean, with as many components in front of the pivot.
std::string behind_pivot(const std::string& written, const std::string& path) {
  auto parts = components_of(path);
  auto pivot = written.find("/./");
  std::size_t skipped = pivot == std::string::npos ? 0 : components_of(written.substr(0, pivot)).size();
  std::string out;
  for (std::size_t i = std::min(skipped, parts.size()); i < parts.size(); ++i) out += "/" + parts[i];
  return out;
}

// Walks no deeper than the pattern can reach.
class PatternSearch {
 public:
  PatternSearch(const TreeView& view, const std::string& pattern)
      : view_(view),
        pattern_(pattern),
        segments_(components_of(pattern)),
        deep_(pattern.find("**") != std::string::npos) {}

  std::vector<std::string> run() {
    enter(view_.root(), "", 0);
    return std::move(found_);
  }

 private:
  void enter(const Node& directory, const std::string& prefix, std::size_t depth) {
    for (const auto& name : view_.names(directory, prefix)) {
      auto path = prefix.empty() ? name : prefix + "/" + name;
      bool reachable = deep_ || ignore::Pattern(segments_[depth]).matches(name);
      if (!reachable) continue;
      if (pattern_.matches(path)) found_.push_back(path);
      if (!deep_ && depth + 1 == segments_.size()) continue;
      auto child = view_.child(directory, name, path);
      if (child && child->is_directory()) enter(*child, path, depth + 1);
    }
  }

  const TreeView& view_;
  ignore::Pattern pattern_;
  std::vector<std::string> segments_;
  bool deep_;
  std::vector<std::string> found_;
};

void hash_content(KeyBuilder& key, const Node& node) {
  Fd fd = reopen(node, O_RDONLY);
  oci::Hasher hasher;
  std::string buffer(256u << 10, '\0');
  for (;;) {
    ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("read a file of the step");
    if (n == 0) break;
    hasher.update({buffer.data(), static_cast<std::size_t>(n)});
  }
  key.add(hasher.finish().str());
}

class TreeHash {
 public:
  TreeHash(KeyBuilder& key, const TreeView& view, bool with_owners)
      : key_(key), view_(view), with_owners_(with_owners) {}

  void add(const Node& node, const std::string& path, const std::string& name, bool with_mode) {
    key_.add(name);
    key_.add(std::to_string(with_mode ? node.status.st_mode : node.status.st_mode & S_IFMT));
    if (with_owners_) key_.add(std::to_string(node.status.st_uid) + ":" + std::to_string(node.status.st_gid));
    if (node.is_link()) {
      key_.add(read_link(node));
    } else if (S_ISREG(node.status.st_mode)) {
      hash_content(key_, node);
    } else if (node.is_directory()) {
      children(node, path);
    } else {
      key_.add(std::to_string(node.status.st_rdev));
    }
  }

 private:
  void children(const Node& directory, const std::string& path) {
    auto names = view_.names(directory, path);
    key_.add(std::to_string(names.size()));
    for (const auto& name : names) {
      auto full = path.empty() ? name : path + "/" + name;
      if (auto child = view_.child(directory, name, full)) add(*child, full, name, true);
    }
  }

  KeyBuilder& key_;
  const TreeView& view_;
  bool with_owners_;
};

}  // namespace

Node open_match(const TreeView& view, const SourceMatch& match) {
  auto found = view.resolve(match.path, false);
  if (!found.node) throw Error(ErrorKind::conflict, "\"" + match.path + "\" went away during the build");
  return std::move(*found.node);
}

std::vector<SourceMatch> find_sources(const std::vector<Word>& sources, const TreeView& view, const std::string& where,
                                      std::vector<Finding>& findings) {
  std::vector<SourceMatch> out;
  auto take = [&](const Word& word, const std::string& path, const std::string& name) {
    auto found = view.resolve(path, true);
    if (found.node) {
      out.push_back({name, path_text(found.path), found.node->is_directory(), behind_pivot(word.text, path)});
    } else {
      findings.push_back({word.place, "\"" + word.text + "\" is not in " + where});
    }
  };
  for (const auto& word : sources) {
    try {
      if (!ignore::Pattern::has_wildcards(word.text)) {
        auto path = clean_path("/" + plain(word.text));
        take(word, path, last_component(path));
        continue;
      }
      auto pattern = clean_path("/" + word.text).substr(1);
      for (const auto& path : PatternSearch(view, pattern).run()) take(word, path, last_component(path));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::invalid) throw;
      findings.push_back({word.place, error.message()});
    }
  }
  return out;
}

std::string digest_of(const std::vector<SourceMatch>& matches, const TreeView& view, bool with_owners) {
  KeyBuilder key;
  TreeHash hash(key, view, with_owners);
  // The root's own mode is that of a directory somewhere on the host.
  for (const auto& match : matches) hash.add(open_match(view, match), match.path, match.name, !match.path.empty());
  return key.finish();
}

}  // namespace gantry::build
