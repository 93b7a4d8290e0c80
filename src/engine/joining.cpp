#include <unistd.h>

#include <limits.h>

#include <algorithm>
#include <set>

#include "container_files.h"
#include "gantry/base/files.h"
#include "impl.h"
#include "sharing.h"

namespace gantry::engine {
namespace {

std::string own_host_name() {
  char name[HOST_NAME_MAX + 1] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

void require_shareable_ipc(const Record& lender) {
  auto mode = mode_of(lender.info.spec.namespaces.ipc);
  if (mode == NamespaceMode::shareable || mode == NamespaceMode::host) return;
  throw Error(ErrorKind::conflict, "the ipc namespace of container " + lender.info.spec.name + " is private",
              "create that container with the ipc mode shareable");
}

Error not_running(const Container& lender) {
  return Error(ErrorKind::conflict, "cannot join the namespaces of container " + lender.name() + ": it is not running",
               "start it first, with 'gantry start " + lender.name() + "'");
}

}  // namespace

void Engine::Impl::settle_namespaces(ContainerSpec* spec) const {
  auto& wanted = spec->namespaces;
  rename_joined(&wanted, [&](const std::string& reference) { return find_by_reference(reference)->id().str(); });
  if (mode_of(wanted.ipc) == NamespaceMode::container)
    require_shareable_ipc(find(ContainerId(wanted.ipc->container))->record);
  std::set<std::optional<std::int64_t>> users;
  for (const auto& id : joined_containers(wanted)) users.insert(find(ContainerId(id))->record.internals.id_slot);
  if (users.size() > 1 && !needs_host_users(*spec))
    throw Error(ErrorKind::conflict, "the containers whose namespaces are to be joined have different user namespaces",
                "join the namespaces of one container, or use the host's user namespace");
  if (mode_of(wanted.network) == NamespaceMode::container)
    spec->hostname = hostname_of(find(ContainerId(wanted.network->container))->record.info);
  bool is_hosts = mode_of(wanted.network) == NamespaceMode::host || mode_of(wanted.uts) == NamespaceMode::host;
  if (is_hosts && spec->hostname.empty()) spec->hostname = own_host_name();
}

Joined Engine::Impl::join(const ContainerSpec& spec) const {
  Joined out;
  const auto& wanted = spec.namespaces;
  for (const auto& id : joined_containers(wanted)) {
    auto lender = find(ContainerId(id));
    if (lender->state() != State::running || !lender->run) throw not_running(*lender);
    out.lenders.push_back({lender, lender->run});
    if (!needs_host_users(spec)) out.id_slot = lender->record.internals.id_slot;
  }
  auto pid_of = [&](const std::string& id) { return static_cast<pid_t>(find(ContainerId(id))->record.info.pid); };
  out.namespaces = choose_namespaces(wanted, out.id_slot.has_value(), pid_of);
  if (mode_of(wanted.network) == NamespaceMode::container)
    out.network_files = paths_of(ContainerId(wanted.network->container)).root;
  if (mode_of(wanted.ipc) == NamespaceMode::container) out.shm_of = pid_of(wanted.ipc->container);
  return out;
}

std::string Engine::Impl::linked_hosts(const ContainerInfo& info) const {
  std::string out;
  for (const auto& link : info.spec.links) {
    auto other = find(ContainerId(link.container));
    const auto& addresses = other->record.info.addresses;
    if (other->state() != State::running)
      throw Error(ErrorKind::conflict, "cannot link to container " + other->name() + ": it is not running",
                  "start it first, with 'gantry start " + other->name() + "'");
    auto wanted = attachments_of(info);
    auto common = std::find_if(addresses.begin(), addresses.end(), [&](const NetworkAddress& address) {
      return std::any_of(wanted.begin(), wanted.end(), [&](const NetworkAttachment& own) {
        return own.network == address.network || own.network == address.network_id.str();
      });
    });
    if (common == addresses.end())
      throw Error(ErrorKind::conflict, "cannot link to container " + other->name() + ": it is in another network",
                  "connect both to one network");
    out += linked_line(common->ipv4, link, other->name());
  }
  return out;
}

// The file first: whoever is told that it is done, or asks again after a crash, finds both without it.
task<> Engine::Impl::unlink(ContainerId id, std::string alias) {
  auto container = find(id);
  auto guard = co_await container->mutex.lock();
  const auto& info = container->record.info;
  require_kept(*container);
  auto links = info.spec.links;
  auto found = std::ranges::find(links, alias, &Link::alias);
  if (found == links.end())
    throw Error(ErrorKind::not_found, "container " + info.spec.name + " has no link " + alias,
                "see 'gantry inspect " + info.spec.name + "' for its links");
  auto rewrite = [file = paths_of(id).root / "hosts", link = *found] {
    auto text = read_file_if_exists(file);
    if (text) write_file(file, hosts_unlinked(*text, link));
  };
  co_await parts.pool.run(std::move(rewrite));
  links.erase(found);
  amend(*container, [&](Record& record) { record.info.spec.links = std::move(links); });
}

void Engine::Impl::require_still_joined(const Joined& joined) {
  for (const auto& lender : joined.lenders)
    if (lender.container->run != lender.run || lender.run->exit) throw not_running(*lender.container);
}

}  // namespace gantry::engine
