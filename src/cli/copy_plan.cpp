#include "copy_plan.h"

#include <filesystem>

#include "gantry/base/error.h"

namespace gantry::cli {
namespace {

// "/a/b/", "/a/b/." -> "/a/b"; "/." -> "/".
std::string without_end(std::string path) {
  for (bool more = true; more && path.size() > 1;) {
    more = path.ends_with('/') || path.ends_with("/.");
    if (more) path.pop_back();
  }
  return path;
}

std::string base_of(const std::string& path) { return std::filesystem::path(path).filename().string(); }
std::string directory_of(const std::string& path) {
  auto out = std::filesystem::path(path).parent_path().string();
  return out.empty() ? "." : out;
}

// For the right side of tar's --transform.
std::string quoted(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '&' || c == ',') out += '\\';
    out += c;
  }
  return out;
}

// The archive's only top name, "." or that of the file, becomes the wanted one; what links say stays.
std::string renaming(const CopyPlan& plan) {
  auto pattern = plan.whole_directory ? "^\\.\\?" : "^.*$";
  return "--transform=s," + std::string(pattern) + "," + quoted(plan.name) + ",S";
}

}  // namespace

std::optional<ContainerPath> parse_container_path(const std::string& text) {
  auto colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || text.starts_with('/') || text.starts_with('.')) return std::nullopt;
  ContainerPath out{text.substr(0, colon), text.substr(colon + 1)};
  if (!out.path.starts_with('/')) out.path.insert(0, "/");
  return out;
}

CopyPlan plan_copy(const std::string& source, Kind source_kind, const std::string& target, Kind target_kind) {
  CopyPlan out;
  out.from = without_end(source);
  bool content = source.ends_with("/.") || out.from == "/";
  out.whole_directory = source_kind == Kind::directory;
  auto place = without_end(target);
  if (target_kind == Kind::directory) {
    out.into = target;
    out.name = content && out.whole_directory ? "" : base_of(out.from);
    return out;
  }
  if (target_kind == Kind::other && out.whole_directory)
    throw Error(ErrorKind::invalid, "cannot copy the directory " + source + " onto the file " + target,
                "name a directory, or a name that is not there yet");
  if (target_kind == Kind::none && target.ends_with('/') && !out.whole_directory)
    throw Error(ErrorKind::not_found, "the directory " + target + " does not exist", "make it first");
  out.into = directory_of(place);
  out.name = base_of(place);
  return out;
}

std::vector<std::string> pack_command(const CopyPlan& plan, bool keep_owners, bool follow) {
  std::vector<std::string> argv{"tar",          "--create",        "--file=-",
                                "--format=pax", "--numeric-owner", "--pax-option=delete=atime,delete=ctime"};
  if (!keep_owners) {
    argv.emplace_back("--owner=0");
    argv.emplace_back("--group=0");
  }
  if (follow) argv.emplace_back("--dereference");
  if (!plan.name.empty()) argv.push_back(renaming(plan));
  argv.push_back("--directory=" + (plan.whole_directory ? plan.from : directory_of(plan.from)));
  argv.emplace_back("--");
  argv.push_back(plan.whole_directory ? "." : base_of(plan.from));
  return argv;
}

std::vector<std::string> unpack_command(const CopyPlan& plan, bool keep_owners) {
  std::vector<std::string> argv{"tar", "--extract", "--file=-", "--numeric-owner", "--preserve-permissions"};
  argv.emplace_back(keep_owners ? "--same-owner" : "--no-same-owner");
  if (!plan.name.empty()) argv.push_back(renaming(plan));
  argv.push_back("--directory=" + plan.into);
  return argv;
}

}  // namespace gantry::cli
