#include "impl.h"
#include "sharing.h"

namespace gantry::engine {

task<Stats> Engine::Impl::stats(ContainerId id) {
  auto container = find(id);
  if (!container->run || container->run->exit) co_return Stats{};
  co_return co_await parts.runtime.usage(id, has_own_network(container->record.info.spec));
}

task<std::vector<ProcessInfo>> Engine::Impl::processes(ContainerId id) {
  auto container = find(id);
  if (!container->run || container->run->exit)
    throw Error(ErrorKind::conflict, "container " + container->name() + " is not running",
                "start it with 'gantry start " + container->name() + "'");
  co_return co_await parts.runtime.processes(id);
}

}  // namespace gantry::engine
