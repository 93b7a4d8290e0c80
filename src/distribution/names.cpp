#include "names.h"

#include <algorithm>

#include "gantry/distribution/error.h"

namespace gantry::distribution {
namespace {

constexpr std::size_t kLongestName = 255;
constexpr std::size_t kLongestTag = 128;

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_component(std::string_view text) {
  if (text.empty() || !is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) return false;
  for (std::size_t at = 0; at < text.size();) {
    if (is_alphanumeric(text[at])) {
      ++at;
      continue;
    }
    auto end = at;
    while (end < text.size() && text[end] == text[at]) ++end;
    auto count = end - at;
    bool separates = (text[at] == '.' && count == 1) || (text[at] == '_' && count <= 2) || text[at] == '-';
    if (!separates || !is_alphanumeric(text[end])) return false;  // the last one is alphanumeric: there is a text[end]
    at = end;
  }
  return true;
}

}  // namespace

void require_repository(std::string_view name) {
  bool good = !name.empty() && name.size() <= kLongestName;
  for (std::size_t at = 0; good && at <= name.size();) {
    auto slash = std::min(name.find('/', at), name.size());
    good = is_component(name.substr(at, slash - at));
    at = slash + 1;
  }
  if (!good)
    throw RegistryError(Code::NAME_INVALID, ErrorKind::invalid, "the repository's name has not the form of one",
                        "lower-case letters, digits and single separators, in parts between slashes");
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > kLongestTag || text.front() == '.' || text.front() == '-') return false;
  return std::ranges::all_of(
      text, [](char c) { return is_alphanumeric(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-'; });
}

oci::Digest require_digest(const std::string& text) {
  try {
    return oci::Digest::parse(text);
  } catch (const Error& error) {
    throw RegistryError(Code::DIGEST_INVALID, ErrorKind::invalid, error.message(), "sha256 is the one that is taken");
  }
}

}  // namespace gantry::distribution
