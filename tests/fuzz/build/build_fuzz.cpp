// What users write for a build. The first byte says what the rest is: 'i' an ignore file (its first line is a path to
// ask about), 'p' a passwd file (its first line is a user), anything else a Dockerfile. A Dockerfile is refused with
// places inside it, or planned.
#include <algorithm>
#include <cstdlib>

#include "gantry/base/error.h"
#include "gantry/ignore/ignore_file.h"
#include "gantry/oci/passwd.h"
#include "plan/plan.h"

namespace {

using namespace gantry;

void require(bool holds) {
  if (!holds) std::abort();
}

image::ImageInfo find_image(const std::string& reference, const build::Platform&) {
  if (reference.empty()) throw Error(ErrorKind::not_found, "no image");
  image::ImageInfo info;
  info.config.config.Env = {"PATH=/bin"};
  info.config.config.OnBuild = {"RUN trigger", "COPY . /on"};
  return info;
}

void require_places(const Error& error, std::string_view text) {
  auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  require(!error.findings().empty());
  for (const auto& finding : error.findings()) {
    require(!finding.message.empty());
    require(finding.place.line >= 1 && finding.place.line <= lines && finding.place.column >= 1);
  }
}

void dockerfile(std::string_view text) {
  try {
    auto file = build::parse_dockerfile(text, "Dockerfile");
    require(!file.stages.empty());
    build::Options options;
    options.arguments = {{"A", "value"}, {"B", ""}};
    auto plan = build::make_plan(file, options, {"linux", "amd64", ""}, find_image);
    require(!plan.stages.empty() && plan.stages.back().index == file.stages.size() - 1);
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::invalid);
    require_places(error, text);
  }
}

std::pair<std::string_view, std::string_view> first_line(std::string_view text) {
  auto end = std::min(text.find('\n'), text.size());
  return {text.substr(0, end), text.substr(std::min(end + 1, text.size()))};
}

void ignore_file(std::string_view text) {
  auto [path, rules] = first_line(text);
  try {
    auto file = ignore::IgnoreFile::parse(rules);
    auto slash = path.rfind('/');
    if (path.size() > 500 || slash == std::string_view::npos || slash == 0) return void(file.excludes(path));
    auto parent = path.substr(0, slash);
    // What the walk does not enter must hold nothing that is included.
    if (file.excludes(parent) && !file.may_include_below(parent)) require(file.excludes(path));
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::invalid);
    require_places(error, rules);
  }
}

void passwd(std::string_view text) {
  auto [user, file] = first_line(text);
  try {
    oci::find_user(file, file, user);
    oci::find_owner(file, file, user);
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::invalid);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'i') {
    ignore_file(text);
  } else if (data[0] == 'p') {
    passwd(text);
  } else {
    dockerfile(text);
  }
  return 0;
}
