#include <algorithm>

#include "impl.h"
#include "layer_view.h"

namespace gantry::engine {
namespace {

void require_running(const Container& container) {
  if (container.state() == State::running && container.run && !container.run->exit) return;
  if (container.state() == State::paused)
    throw Error(ErrorKind::conflict, "container " + container.name() + " is paused: nothing can be executed in it",
                "let it go on with 'gantry unpause " + container.name() + "'");
  throw Error(ErrorKind::conflict, "container " + container.name() + " is not running",
              "start it with 'gantry start " + container.name() + "'");
}

Event with_command(Event told, const std::vector<std::string>& argv) {
  auto& text = told.attributes["command"];
  for (const auto& word : argv) text += (text.empty() ? "" : " ") + word;
  return told;
}

}  // namespace

oci::UserIds Engine::Impl::look_up_user(const Record& record, const std::string& user) const {
  auto layers = layer_paths(record);
  layers.push_back(upper_of(record, paths_of(record.info.id)));
  LayerView view(std::move(layers));
  auto passwd = view.read("/etc/passwd").value_or("");
  auto group = view.read("/etc/group").value_or("");
  auto ids = oci::find_user(passwd, group, user);
  for (auto further : oci::find_groups(group, record.info.spec.group_add))
    if (std::find(ids.groups.begin(), ids.groups.end(), further) == ids.groups.end()) ids.groups.push_back(further);
  return ids;
}

task<oci::UserIds> Engine::Impl::user_of(ContainerPtr container, std::string user) {
  auto look_up = [this, record = container->record, user] { return look_up_user(record, user); };
  co_return co_await parts.pool.run(std::move(look_up));
}

task<std::shared_ptr<runtime::ExecProcess>> Engine::Impl::execute(ContainerPtr container, ExecSpec spec) {
  // The user is looked up each time: the program may have added some meanwhile.
  std::function<runtime::ExecPlan()> make = [this, record = container->record, spec = std::move(spec)] {
    auto ids = look_up_user(record, spec.user.empty() ? record.internals.resolved.user : spec.user);
    return make_exec_plan(record, spec, ids, capabilities);
  };
  auto process = co_await parts.runtime.exec(container->id(), std::move(make));
  co_return std::shared_ptr<runtime::ExecProcess>(std::move(process));
}

task<ExecId> Engine::Impl::exec_create(ContainerId id, ExecSpec spec) {
  auto container = find(id);
  require_running(*container);
  if (spec.argv.empty()) throw Error(ErrorKind::invalid, "exec: no command given", "say what to run");
  auto exec = execs.add(id, std::move(spec));
  events->publish(with_command(event(*container, "exec_create", "exec", exec->info.id.str()), exec->info.spec.argv));
  co_return exec->info.id;
}

task<std::unique_ptr<StdioSession>> Engine::Impl::exec_start(ExecId id) {
  auto exec = execs.get(id);
  co_return co_await operations.run(exec_connect(exec));
}

task<std::unique_ptr<StdioSession>> Engine::Impl::exec_connect(std::shared_ptr<Exec> exec) {
  auto container = find(exec->info.container);
  require_running(*container);
  if (std::exchange(exec->started, true))
    throw Error(ErrorKind::conflict, "exec " + short_id(exec->info.id) + " was started before", "create another one");
  std::exception_ptr failure;
  try {
    exec->process = co_await execute(container, exec->info.spec);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    auto kind = to_error(failure).kind();
    ExecRegistry::finish(*exec, kind == ErrorKind::not_found ? 127 : 126);
    std::rethrow_exception(failure);
  }
  exec->info.running = true;
  exec->info.pid = exec->process->pid();
  events->publish(with_command(event(*container, "exec_start", "exec", exec->info.id.str()), exec->info.spec.argv));
  auto session = exec->process->session();
  background.spawn("exec " + short_id(exec->info.id), watch_exec(exec));
  co_return session;
}

task<> Engine::Impl::watch_exec(std::shared_ptr<Exec> exec) {
  auto process = exec->process;
  auto status = co_await process->ended();
  exec->process.reset();
  ExecRegistry::finish(*exec, status.code);
  auto container = containers.find(exec->info.container);
  if (container != containers.end()) {
    auto told = event(*container->second, "exec_die", "exec", exec->info.id.str());
    told.attributes["exit_code"] = std::to_string(status.code);
    events->publish(std::move(told));
  }
  // Whoever asked has the answer; its shim takes a while longer to go, and its directory with it.
  co_await process->wait();
}

task<> Engine::Impl::exec_resize(ExecId id, TerminalSize size) {
  auto exec = execs.get(id);
  if (auto process = exec->process) co_await process->resize(size.rows, size.columns);
}

task<int> Engine::Impl::exec_wait(ExecId id) {
  auto exec = execs.get(id);
  co_await exec->ended.wait();
  co_return exec->info.exit_code.value_or(0);
}

}  // namespace gantry::engine
