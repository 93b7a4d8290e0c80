#include "gantry/oci/reference.h"

#include <algorithm>
#include <vector>

#include "gantry/base/error.h"
#include "gantry/base/text.h"
#include "gantry/oci/digest.h"

// The grammar is that of github.com/distribution/reference ("reference.go", "normalize.go"): a first component with a
// dot, a colon or an upper-case letter, or "localhost", is a domain; everything else belongs to docker.io.
namespace gantry::oci {
namespace {

constexpr std::string_view kDefaultDomain = "docker.io";
constexpr std::string_view kOfficial = "library/";
constexpr std::size_t kLongestName = 255;
constexpr std::size_t kLongestTag = 128;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || is_digit(c); }
bool is_word(char c) { return is_lower_or_digit(c) || is_upper(c) || c == '_'; }

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw Error(ErrorKind::invalid, "image reference \"" + std::string(text) + "\": " + why,
              "write it as [registry/]name[:tag], for example debian:bookworm");
}

bool is_domain_label(std::string_view label) {
  return !label.empty() && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(),
                     [](char c) { return is_lower_or_digit(c) || is_upper(c) || c == '-'; });
}

bool is_address_literal(std::string_view host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' &&
         std::all_of(host.begin() + 1, host.end() - 1, [](char c) {
           return c == ':' || is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

bool is_domain(std::string_view domain) {
  auto colon = domain.rfind(':');
  bool inside_literal = colon != std::string_view::npos && domain.find(']', colon) != std::string_view::npos;
  std::string_view host = domain;
  if (colon != std::string_view::npos && !inside_literal) {
    auto port = domain.substr(colon + 1);
    if (port.empty() || !std::all_of(port.begin(), port.end(), is_digit)) return false;
    host = domain.substr(0, colon);
  }
  if (host.starts_with('[')) return is_address_literal(host);
  auto labels = split_views(host, '.');
  return std::all_of(labels.begin(), labels.end(), is_domain_label);
}

// [a-z0-9]+ joined by one dot, one or two underscores, or any number of dashes.
bool is_path_component(std::string_view component) {
  if (component.empty() || !is_lower_or_digit(component.front()) || !is_lower_or_digit(component.back())) return false;
  for (std::size_t i = 0; i < component.size();) {
    if (is_lower_or_digit(component[i])) {
      ++i;
      continue;
    }
    auto end = i;
    while (end < component.size() && component[end] == component[i]) ++end;
    auto run = end - i;
    bool fine = component[i] == '-' || (component[i] == '.' && run == 1) || (component[i] == '_' && run <= 2);
    if (!fine || !is_lower_or_digit(component[end])) return false;
    i = end;
  }
  return true;
}

bool is_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= kLongestTag && is_word(tag.front()) &&
         std::all_of(tag.begin(), tag.end(), [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool names_a_domain(std::string_view first) {
  return first == "localhost" || first.find_first_of(".:[") != std::string_view::npos ||
         std::any_of(first.begin(), first.end(), is_upper);
}

bool is_whole_id(std::string_view text) {
  return text.size() == 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

// Takes the domain off the front of `name` and returns it.
std::string take_domain(std::string_view& name) {
  auto slash = name.find('/');
  if (slash == std::string_view::npos || !names_a_domain(name.substr(0, slash))) return std::string(kDefaultDomain);
  std::string domain(name.substr(0, slash));
  name.remove_prefix(slash + 1);
  return domain == "index.docker.io" ? std::string(kDefaultDomain) : domain;
}

void require_path(std::string_view text, std::string_view path) {
  if (path.empty()) refuse(text, "the name is missing");
  for (auto component : split_views(path, '/')) {
    if (component.empty()) refuse(text, "an empty part between slashes");
    if (std::any_of(component.begin(), component.end(), is_upper))
      refuse(text, "\"" + std::string(component) + "\" has upper-case letters; names are lower case");
    if (!is_path_component(component))
      refuse(text, "\"" + std::string(component) +
                       "\" is not a name: lower-case letters and digits, joined by '.', '_', '__' or '-'");
  }
}

}  // namespace

Reference Reference::parse(std::string_view text) {
  if (text.empty()) refuse(text, "is empty");
  if (is_whole_id(text)) refuse(text, "64 hexadecimal digits are an id, not a name");
  Reference out;
  std::string_view name = text;
  if (auto at = name.find('@'); at != std::string_view::npos) {
    try {
      out.digest = Digest::parse(name.substr(at + 1)).str();
    } catch (Error& error) {
      throw error.within("image reference \"" + std::string(text) + "\"");
    }
    name = name.substr(0, at);
  }
  auto slash = name.rfind('/');
  auto colon = name.rfind(':');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    out.tag = name.substr(colon + 1);
    if (!is_tag(out.tag))
      refuse(text, "the tag \"" + out.tag +
                       "\" is not 1 to 128 letters, digits, '_', '.' or '-', starting with none of the last two");
    name = name.substr(0, colon);
  }
  out.domain = take_domain(name);
  if (!is_domain(out.domain)) refuse(text, "\"" + out.domain + "\" is not a registry's host name and port");
  require_path(text, name);
  bool official = out.domain == kDefaultDomain && name.find('/') == std::string_view::npos;
  out.path = (official ? std::string(kOfficial) : std::string()) + std::string(name);
  if (out.domain.size() + 1 + out.path.size() > kLongestName) refuse(text, "the name is longer than 255 characters");
  if (out.tag.empty() && out.digest.empty()) out.tag = "latest";
  return out;
}

namespace {

std::string with_suffixes(std::string name, const Reference& reference) {
  if (!reference.tag.empty()) name += ":" + reference.tag;
  if (!reference.digest.empty()) name += "@" + reference.digest;
  return name;
}

}  // namespace

std::string Reference::canonical() const { return with_suffixes(domain + "/" + path, *this); }

std::string Reference::familiar() const {
  if (domain != kDefaultDomain) return canonical();
  std::string_view shown = path;
  if (shown.starts_with(kOfficial) && shown.find('/', kOfficial.size()) == std::string_view::npos)
    shown.remove_prefix(kOfficial.size());
  return with_suffixes(std::string(shown), *this);
}

}  // namespace gantry::oci
