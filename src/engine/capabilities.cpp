#include "capabilities.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "gantry/base/error.h"

namespace gantry::engine {
namespace {

std::string canonical(std::string name, const CapabilityBase& base) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
  if (name == "ALL") return name;
  if (!name.starts_with("CAP_")) name.insert(0, "CAP_");
  if (std::find(base.all.begin(), base.all.end(), name) == base.all.end())
    throw Error(ErrorKind::invalid, "unknown capability " + name, "see capabilities(7) for the names, or use ALL");
  return name;
}

std::set<std::string> canonical_set(const std::vector<std::string>& names, const CapabilityBase& base) {
  std::set<std::string> out;
  for (const auto& name : names) out.insert(canonical(name, base));
  return out;
}

}  // namespace

std::vector<std::string> final_capabilities(const Security& security, const CapabilityBase& base) {
  if (security.privileged) return base.all;
  auto add = canonical_set(security.cap_add, base);
  auto drop = canonical_set(security.cap_drop, base);
  std::set<std::string> have(base.defaults.begin(), base.defaults.end());
  if (drop.contains("ALL")) have.clear();
  if (add.contains("ALL")) have.insert(base.all.begin(), base.all.end());
  for (const auto& name : drop) have.erase(name);
  for (const auto& name : add)
    if (name != "ALL" && !drop.contains(name)) have.insert(name);
  // In the kernel's order, so that equal sets are equal lists.
  std::vector<std::string> out;
  for (const auto& name : base.all)
    if (have.contains(name)) out.push_back(name);
  return out;
}

}  // namespace gantry::engine
