#include "exec_registry.h"

namespace gantry::engine {

std::shared_ptr<Exec> ExecRegistry::add(ContainerId container, ExecSpec spec) {
  forget_old();
  ExecInfo info;
  info.id = make_id<ExecId>();
  info.container = std::move(container);
  info.spec = std::move(spec);
  auto exec = std::make_shared<Exec>(executor_, std::move(info));
  execs_.emplace(exec->info.id, exec);
  return exec;
}

std::shared_ptr<Exec> ExecRegistry::get(const ExecId& id) const {
  auto found = execs_.find(id);
  if (found == execs_.end())
    throw Error(ErrorKind::not_found, "exec " + short_id(id) + " does not exist",
                "an exec is known until ten minutes after its end, and not across a restart of gantryd");
  return found->second;
}

void ExecRegistry::finish(Exec& exec, int code) {
  exec.info.running = false;
  exec.info.exit_code = code;
  exec.touched = std::chrono::steady_clock::now();
  exec.ended.set();
}

void ExecRegistry::forget(const ContainerId& container) {
  std::erase_if(execs_, [&](const auto& entry) {
    return entry.second->info.container == container && !entry.second->info.running;
  });
}

void ExecRegistry::forget_old() {
  auto limit = std::chrono::steady_clock::now() - kExecKept;
  std::erase_if(execs_,
                [&](const auto& entry) { return !entry.second->info.running && entry.second->touched < limit; });
}

std::vector<std::string> ExecRegistry::running_in(const ContainerId& container) const {
  std::vector<std::string> out;
  for (const auto& [id, exec] : execs_)
    if (exec->info.container == container && exec->info.running) out.push_back(id.str());
  return out;
}

}  // namespace gantry::engine
