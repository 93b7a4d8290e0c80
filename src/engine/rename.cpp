#include <algorithm>

#include "impl.h"

namespace gantry::engine {
namespace {

// The name among those of an address; it stays when it is there for another reason, too.
std::vector<std::string> names_after(const ContainerInfo& info, const NetworkAddress& address, const std::string& to) {
  const auto& spec = info.spec;
  auto names = address.aliases;
  bool also_alias = spec.hostname == spec.name;
  for (const auto& attachment : attachments_of(info))
    if (attachment.network == address.network)
      also_alias = also_alias || std::ranges::find(attachment.aliases, spec.name) != attachment.aliases.end();
  if (!also_alias) std::erase(names, spec.name);
  if (std::ranges::find(names, to) == names.end()) names.push_back(to);
  std::ranges::sort(names);
  return names;
}

}  // namespace

task<> Engine::Impl::rename(ContainerId id, std::string name) {
  auto container = find(id);
  auto guard = co_await container->mutex.lock();
  const auto& info = container->record.info;
  require_kept(*container);
  require_valid_name("container", name);
  if (info.spec.name == name)
    throw Error(ErrorKind::invalid, "container " + name + " has that name already", "choose another one");
  auto wanted = info.spec;
  wanted.name = name;
  settle_name(&wanted);
  std::vector<std::vector<std::string>> before, after;
  for (const auto& address : info.addresses) {
    before.push_back(address.aliases);
    after.push_back(names_after(info, address, name));
  }
  std::vector<Event> told;
  told.push_back(event(*container, "rename", "old_name", info.spec.name));
  told.back().name = name;
  auto rows = parts.networks.rename(id, after);
  try {
    amend(
        *container,
        [&](Record& record) {
          record.info.spec.name = name;
          for (std::size_t i = 0; i < after.size(); ++i) record.info.addresses[i].aliases = after[i];
        },
        std::move(told), rows);
  } catch (...) {
    parts.networks.rename(id, before);
    throw;
  }
}

}  // namespace gantry::engine
