#include "dockerfile/git_source.h"

#include <algorithm>

#include "dockerfile/checks.h"
#include "gantry/base/error.h"
#include "plan/paths.h"

namespace gantry::build {
namespace {

[[noreturn]] void refuse_source(const std::string& why) { throw Error(ErrorKind::invalid, why); }

// Nothing that git could take for an option or a rule of what to fetch (gitrevisions(7), git-check-ref-format(1)).
void check_reference(const std::string& text) {
  auto bad = [](unsigned char c) {
    return c <= ' ' || c == 0x7f || std::string_view("~^:?*[\\").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (text.starts_with('-') || text.starts_with('+') || text.find("..") != std::string::npos ||
      std::any_of(text.begin(), text.end(), bad))
    refuse_source("\"" + text + "\" is no branch, tag or commit");
}

std::string clean_directory(const std::string& text) {
  auto parts = components_of(text);
  std::string out;
  for (const auto& part : parts) {
    if (part == ".." || part == ".git") refuse_source("\"" + text + "\" is no directory of the repository");
    out += (out.empty() ? "" : "/") + part;
  }
  return out;
}

}  // namespace

std::optional<GitSource> parse_git_source(std::string_view text) {
  if (!is_git_source(text)) return std::nullopt;
  GitSource out;
  auto hash = text.find('#');
  out.url = text.substr(0, hash);
  if (std::any_of(out.url.begin(), out.url.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; }))
    refuse_source("the address of a repository has no blanks");
  if (hash == std::string_view::npos) return out;
  auto fragment = text.substr(hash + 1);
  auto colon = fragment.find(':');
  out.reference = fragment.substr(0, colon);
  check_reference(out.reference);
  if (colon != std::string_view::npos) out.directory = clean_directory(std::string(fragment.substr(colon + 1)));
  return out;
}

}  // namespace gantry::build
