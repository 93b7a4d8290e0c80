#include "entry_name.h"

#include "gantry/base/error.h"

namespace gantry::image {
namespace {

constexpr std::size_t kLongestComponent = 255;  // NAME_MAX

std::string join(const std::vector<std::string>& components, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out += '/';
    out += components[i];
  }
  return out;
}

}  // namespace

std::string EntryName::parent() const { return join(components, components.size() - 1); }
std::string EntryName::path() const { return join(components, components.size()); }
std::string EntryName::shown() const { return "archive entry \"" + path() + "\""; }
void EntryName::refuse(const std::string& why) const { throw Error(ErrorKind::invalid, shown() + ": " + why); }

EntryName EntryName::parse(std::string_view text) {
  EntryName out;
  for (std::size_t at = 0; at <= text.size();) {
    auto slash = std::min(text.find('/', at), text.size());
    auto component = text.substr(at, slash - at);
    at = slash + 1;
    if (component.empty() || component == ".") continue;
    if (component == "..")
      throw Error(ErrorKind::invalid, "archive entry \"" + std::string(text) + "\": a name with '..' is refused");
    if (component.size() > kLongestComponent)
      throw Error(ErrorKind::invalid, "archive entry \"" + std::string(text.substr(0, 80)) +
                                          "...\": a part of its name is longer than 255 bytes");
    out.components.emplace_back(component);
  }
  return out;
}

}  // namespace gantry::image
