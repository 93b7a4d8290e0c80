#include "runtime_impl.h"

#include <sys/stat.h>

#include "gantry/base/json.h"
#include "native_plan.h"
#include "plan_file.h"
#include "shim_process.h"
#include "spec.h"

namespace gantry::runtime {

namespace fs = std::filesystem;

namespace {

constexpr auto kShimEndLimit = std::chrono::seconds(15);

std::pair<std::uint32_t, std::uint32_t> ids_of(const oci::runtime::Spec& spec) {
  if (spec.linux_.uidMappings.empty()) return {0, 0};
  return {spec.linux_.uidMappings.front().hostID, spec.linux_.uidMappings.front().size};
}

constexpr auto kKilledLimit = std::chrono::seconds(3);

task<bool> ends_within(std::shared_ptr<ShimLink> link, std::chrono::seconds limit) {
  try {
    co_await with_timeout("end of shim", limit, link->until_gone());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::timeout) throw;
  }
  co_return link->gone();
}

// The container's "/": readable by all whatever the daemon's umask is. One that is there keeps what the container made
// of it.
void make_root_directory(const fs::path& upper) {
  if (fs::exists(upper)) return;
  make_directories(upper, 0755);
  if (::chmod(upper.c_str(), 0755) < 0) throw_errno("set the permissions of " + upper.string());
}

}  // namespace

void Runtime::Impl::require_free(const ContainerId& id) const {
  require_valid_name("container id", id.str());  // it is a file name here
  if (containers.contains(id) || fs::exists(paths.container(id)))
    throw Error(ErrorKind::conflict, "container " + short_id(id) + " already has a shim", "remove it first");
}

std::shared_ptr<Standby> Runtime::Impl::start_standby(const oci::runtime::Spec& spec, const std::string& above) {
  cgroups.make_instance();
  auto group = above + kStandbyPrefix + random_hex(12);
  std::shared_ptr<Standby> standby = start_native_standby(*shims, early_plan(spec, cgroups, group));
  standby->group = group;
  standby->early_words = common_words(spec, cgroups);
  standby->ids = ids_of(spec);
  return standby;
}

fs::path Runtime::Impl::filter_of(const Plan& plan) {
  if (uses_default_seccomp(plan)) return filters.default_for(plan.capabilities);
  auto profile = seccomp_of(plan);
  return profile ? filters.file_of(*profile) : fs::path();
}

std::shared_ptr<Standby> Runtime::Impl::prepare_native(const Plan& plan, const oci::runtime::Spec& spec, Words words) {
  std::string above;
  if (plan.shared_group) {
    cgroups.make_instance();
    above = cgroups.make_shared(*plan.shared_group);
  }
  auto directory = paths.container(plan.id);
  auto standby = plan.shared_group ? nullptr : plan.standby;  // which has its group already
  if (!standby || standby->early_words != common_words(spec, cgroups) || standby->ids != ids_of(spec))
    standby = start_standby(spec, above);
  cgroups.bind(plan.id, standby->group);
  auto filter = filter_of(plan);
  add_native(words, spec, cgroups, standby->group, filter);
  write_file(directory / "group", standby->group);
  write_file(directory / "base", exec_base(spec, cgroups, standby->group, filter));
  write_file(directory / "plan", words.take());
  return standby;
}

std::shared_ptr<Standby> Runtime::Impl::prepare(const Plan& plan) {
  auto directory = paths.container(plan.id);
  if (plan.shared_group && plan.launcher == Launcher::crun) {
    cgroups.make_instance();
    cgroups.bind(plan.id, cgroups.make_shared(*plan.shared_group) + plan.id.str());
  }
  SpecContext context{.cgroups_path = cgroups.path_of(plan.id), .limits = effective_limits(plan, may_raise_limits())};
  bool native = plan.launcher == Launcher::native;
  context.seccomp_by_name = !native;
  context.oom_score_adj = effective_oom_score(plan, may_raise_limits());
  auto spec = make_spec(plan, context);
  cgroups.discard_impossible(plan.id, plan.launcher, &spec.linux_.resources);
  auto words = container_plan(plan, config, cgroups.directories(cgroups.group_of(plan.id)), context.limits);
  make_directories(plan.state_dir, 0700);
  make_root_directory(plan.upper);
  make_directories(plan.work, 0755);
  make_directories(directory, 0700);
  remove_tree(plan.state_dir / "exit.json");  // of the run before
  if (native) return prepare_native(plan, spec, std::move(words));
  write_file(directory / "config.json", json::to_text(spec));
  write_file(directory / "base", exec_limits(spec));
  write_file(directory / "plan", words.take());
  return start_plain_standby(*shims);
}

// The connection is made before the shim has its plan, so that not even an immediate failure of it is missed.
std::shared_ptr<ShimLink> Runtime::Impl::launch(const fs::path& directory, Standby& standby) {
  Fd listener = listen_in(directory);
  auto link = std::make_shared<ShimLink>(executor, directory);
  assign(standby, directory, listener);
  link->begin(standby.give_away());
  return link;
}

task<std::shared_ptr<ShimLink>> Runtime::Impl::find_shim(ContainerId id) const {
  std::shared_ptr<ShimLink> link;
  try {
    link = std::make_shared<ShimLink>(executor, paths.container(id));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
  }
  if (!link) co_return nullptr;
  link->begin(Fd());
  co_return link;
}

// The shim ends by itself when its container has; one that does not is killed, and the kernel releases what it held.
task<> Runtime::Impl::end_shim(ContainerId id) {
  auto container = find(id);
  std::shared_ptr<ShimLink> link;
  if (container) link = container->link;
  if (!link) link = co_await find_shim(id);
  if (!link || link->gone()) co_return;
  if (co_await ends_within(link, kShimEndLimit)) co_return;
  link->kill();
  // What even then keeps the connection open is none of ours to wait for: clear() goes by process and control group.
  if (!co_await ends_within(link, kKilledLimit)) link->close();
}

void Runtime::Impl::clear(const ContainerId& id) {
  auto directory = paths.container(id);
  std::error_code ignored;
  kill_shim(directory);
  for (const auto& exec : fs::directory_iterator(paths.execs(id), ignored)) kill_shim(exec.path());
  cgroups.remove(id);
  cgroups.forget(id);
  remove_tree(paths.launcher_state(id));
  remove_tree(directory);
}

}  // namespace gantry::runtime
