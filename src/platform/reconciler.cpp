#include "reconciler.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "translate.h"

namespace gantry::platform {
namespace {

// Who paused a container wants it so.
bool is_running(const engine::ContainerInfo& container) {
  return container.state == engine::State::running || container.state == engine::State::paused;
}

bool is_up(const engine::ContainerInfo& container) {
  return is_running(container) &&
         (container.health == engine::Health::none || container.health == engine::Health::healthy);
}

bool completed(const engine::ContainerInfo& container) {
  return container.state == engine::State::exited && container.exit_code == 0 && container.error.empty();
}

std::string label(const engine::ContainerInfo& container, const char* name) {
  auto found = container.spec.labels.find(name);
  return found == container.spec.labels.end() ? std::string() : found->second;
}

std::vector<engine::ContainerInfo> containers_of_stack(engine::Engine& engine, const std::string& stack) {
  return engine.list({.all = true, .labels = {{engine::kStackLabel, stack}}});
}

// Cancelled waiting must not be shown as a failed object.
task<> reported(task<> work, StepSink sink, Step step) {
  try {
    co_await std::move(work);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::cancelled) {
      step.status = "failed";
      step.detail = error.message();
      sink(step);
    }
    throw;
  }
}

task<> create_network(engine::Engine* engine, network::NetworkSpec spec) {
  co_await engine->networks().create(std::move(spec));
}

task<> create_container(engine::Engine* engine, engine::ContainerSpec spec, ContainerId* out) {
  *out = co_await engine->create(std::move(spec));
}

}  // namespace

Reconciler::Reconciler(engine::Engine& engine, ChangeWatch& watch, compose::Stack stack, std::int64_t release,
                       UpOptions options, StepSink sink)
    : engine_(engine),
      watch_(watch),
      stack_(options.services.empty() ? stack : compose::select(stack, options.services)),
      whole_(std::move(stack)),
      release_(release),
      options_(std::move(options)),
      sink_(std::move(sink)) {}

void Reconciler::step(std::string kind, std::string name, std::string status, std::string detail) const {
  sink_({.kind = std::move(kind), .name = std::move(name), .status = std::move(status), .detail = std::move(detail)});
}

std::vector<engine::ContainerInfo> Reconciler::containers_of(const std::string& service) const {
  return engine_.list({.all = true, .labels = {{engine::kStackLabel, stack_.name}, {engine::kServiceLabel, service}}});
}

task<> Reconciler::bring_up() {
  co_await ensure_networks();
  co_await ensure_volumes();
  if (options_.remove_orphans) co_await remove_orphans();
  for (const auto& level : compose::start_levels(stack_)) {
    std::vector<task<>> services;
    for (const auto& name : level) services.push_back(ensure_service(name));
    co_await all(std::move(services));
  }
  co_await remove_unused_networks();
  if (!options_.wait || options_.no_start) co_return;
  std::vector<task<>> waits;
  for (const auto& [name, service] : stack_.services)
    if (service.replicas > 0) waits.push_back(wait_until_up(name));
  co_await all(std::move(waits));
}

task<> Reconciler::resume() {
  for (const auto& level : compose::start_levels(stack_)) {
    std::vector<task<>> starts;
    for (const auto& name : level) {
      for (const auto& container : containers_of(name)) {
        // Did not end by itself: the machine went down, it was killed (128 + signal), or it could not start.
        bool taken = !container.error.empty() || container.exit_code > 128;
        bool lost = container.state == engine::State::exited && taken && !container.stopped_by_user;
        if (lost) starts.push_back(start(container.id, container.spec.name));
      }
    }
    co_await all(std::move(starts));
  }
}

task<> Reconciler::ensure_networks() {
  for (const auto& [key, network] : stack_.networks) {
    auto spec = network_spec(stack_, network);
    std::optional<network::NetworkInfo> existing;
    for (auto& info : engine_.networks().list())
      if (info.spec.name == spec.name) existing = std::move(info);
    if (network.external) {
      if (!existing)
        throw Error(ErrorKind::not_found,
                    fmt::format("network {} is declared external and does not exist", network.name),
                    fmt::format("create it with 'gantry network create {}'", network.name));
      continue;
    }
    if (existing && existing->spec.labels[engine::kStackLabel] != stack_.name)
      throw Error(ErrorKind::conflict,
                  fmt::format("network {} exists and does not belong to stack {}", spec.name, stack_.name),
                  "declare it 'external: true', or give the network another name in the compose file");
    if (existing && existing->spec.labels[engine::kConfigHashLabel] == spec.labels[engine::kConfigHashLabel]) continue;
    if (existing) {
      // Changed: its containers are recreated anyway, since the network is part of what they are made from.
      for (auto& container : containers_of_stack(engine_, stack_.name))
        for (const auto& attachment : container.spec.networks)
          if (attachment.network == spec.name) {
            co_await remove_container(engine_, container, std::nullopt, false, sink_);
            break;
          }
      co_await engine_.networks().remove(spec.name);
    }
    Step about{.kind = "network", .name = spec.name};
    step(about.kind, about.name, "creating");
    co_await reported(create_network(&engine_, std::move(spec)), sink_, about);
    step(about.kind, about.name, "created");
  }
}

task<> Reconciler::ensure_volumes() {
  for (const auto& [key, volume] : stack_.volumes) {
    auto& volumes = engine_.volumes();
    bool exists = false;
    auto list = [&volumes] { return volumes.list(); };
    auto known = co_await engine_.pool().run(list);
    for (const auto& info : known) exists = exists || info.name == volume.name;
    if (exists) continue;
    if (volume.external)
      throw Error(ErrorKind::not_found, fmt::format("volume {} is declared external and does not exist", volume.name),
                  fmt::format("create it with 'gantry volume create {}'", volume.name));
    auto labels = volume.labels;
    labels[engine::kStackLabel] = stack_.name;
    volume::VolumeSpec spec;
    spec.name = volume.name;
    spec.labels = std::move(labels);
    spec.driver = volume.driver;
    spec.options.insert(volume.driver_opts.begin(), volume.driver_opts.end());
    auto make = [&volumes, spec = std::move(spec)] { volumes.ensure(spec, nullptr); };
    co_await engine_.pool().run(std::move(make));
    step("volume", volume.name, "created");
  }
}

task<> Reconciler::ensure_service(std::string name) {
  const auto* service = &stack_.services.at(name);
  auto& images = engine_.images();
  auto reference = service->image;
  image::ImageInfo image;
  try {
    auto resolve = [&images, reference] { return images.resolve(reference); };
    image = co_await engine_.pool().run(std::move(resolve));
  } catch (Error& error) {
    throw error.within("service " + name);
  }
  auto hash = wanted_hash(stack_, *service, image.id);
  std::map<std::uint32_t, std::vector<engine::ContainerInfo>> by_index;
  for (auto& container : containers_of(name)) {
    auto index = static_cast<std::uint32_t>(std::strtoul(label(container, engine::kReplicaLabel).c_str(), nullptr, 10));
    by_index[index].push_back(std::move(container));
  }
  if (!options_.no_start) co_await wait_for_dependencies(service);
  std::vector<task<>> replicas;
  for (std::uint32_t index = 1; index <= service->replicas; ++index)
    replicas.push_back(ensure_replica(service, index, hash, std::move(by_index[index])));
  for (auto& [index, containers] : by_index)
    if (index == 0 || index > service->replicas)
      for (auto& container : containers)
        replicas.push_back(remove_container(engine_, std::move(container), std::nullopt, true, sink_));
  co_await all(std::move(replicas));
}

task<> Reconciler::ensure_replica(const compose::Service* service, std::uint32_t index, std::string hash,
                                  std::vector<engine::ContainerInfo> existing) {
  auto name = compose::container_name(stack_, *service, index);
  std::optional<engine::ContainerInfo> kept;
  for (auto& container : existing) {
    bool same = !options_.force_recreate && label(container, engine::kConfigHashLabel) == hash &&
                container.spec.name == name && container.state != engine::State::removing && !kept;
    if (same) {
      kept = std::move(container);
    } else {
      co_await remove_container(engine_, std::move(container), std::nullopt, options_.renew_anon_volumes, sink_);
    }
  }
  ContainerId id;
  if (kept) {
    id = kept->id;
    if (is_running(*kept) || options_.no_start) {
      step("container", name, "unchanged");
      co_return;
    }
  } else {
    step("container", name, "creating");
    Step failed{.kind = "container", .name = name};
    auto spec = container_spec(stack_, *service, index, release_, hash);
    if (!options_.renew_anon_volumes) co_await inherit_volumes(&spec);
    co_await reported(create_container(&engine_, std::move(spec), &id), sink_, failed);
    step("container", name, "created");
    if (options_.no_start) co_return;
  }
  co_await start(id, name);
}

// The anonymous volumes that the replica's last container left. They are found by what is written on them, so a crash
// between the old container and the new one loses none.
task<> Reconciler::inherit_volumes(engine::ContainerSpec* spec) {
  auto& volumes = engine_.volumes();
  auto list = [&volumes] { return volumes.list(); };
  auto known = co_await engine_.pool().run(list);
  std::map<std::string, volume::VolumeInfo> left;  // by where they were mounted
  for (auto& info : known) {
    bool own = info.anonymous && info.users.empty() && info.labels.contains(engine::kMountLabel);
    for (const char* name : {engine::kStackLabel, engine::kServiceLabel, engine::kReplicaLabel})
      own = own && info.labels[name] == spec->labels[name];
    if (!own) continue;
    auto& newest = left[info.labels[engine::kMountLabel]];
    if (newest.name.empty() || newest.created < info.created) newest = std::move(info);
  }
  for (auto& [target, info] : left) {
    auto same = std::ranges::find(spec->mounts, target, &engine::Mount::target);
    if (same == spec->mounts.end()) same = spec->mounts.insert(same, engine::Mount{.target = target});
    if (same->type != engine::MountType::volume || !same->source.empty()) continue;
    same->source = info.name;
    same->anonymous = true;
  }
}

task<> Reconciler::start(ContainerId id, std::string name) {
  step("container", name, "starting");
  Step about{.kind = "container", .name = name};
  co_await reported(engine_.start(id), sink_, about);
  step("container", name, "started");
}

bool Reconciler::dependency_met(const std::string& service, compose::DependencyCondition condition) const {
  bool met = true;
  for (const auto& container : containers_of(service)) {
    bool over = container.state == engine::State::exited;
    auto fail = [&](std::string why) {
      throw Error(ErrorKind::conflict, fmt::format("{} {}", container.spec.name, why),
                  fmt::format("see 'gantry logs {}'", container.spec.name));
    };
    switch (condition) {
      case compose::DependencyCondition::service_started:
        break;
      case compose::DependencyCondition::service_healthy:
        if (over) fail(fmt::format("exited with code {} before it was healthy", container.exit_code));
        if (container.health == engine::Health::unhealthy) fail("is unhealthy");
        if (container.health == engine::Health::none && is_running(container)) fail("has no health check to wait for");
        met = met && container.health == engine::Health::healthy;
        break;
      case compose::DependencyCondition::service_completed_successfully:
        if (over && !completed(container)) fail(fmt::format("ended with exit code {}", container.exit_code));
        met = met && over;
        break;
    }
  }
  return met;
}

task<> Reconciler::wait_for_dependencies(const compose::Service* service) {
  for (const auto& [dependency, how] : service->depends_on) {
    if (stack_.services.count(dependency) == 0) continue;
    if (how.condition == compose::DependencyCondition::service_started) continue;  // its level is done
    try {
      if (!dependency_met(dependency, how.condition)) step("service", dependency, "waiting");
      std::function<bool()> met = [this, name = dependency, condition = how.condition] {
        return dependency_met(name, condition);
      };
      auto what = fmt::format("service {} waits for {}", service->name, dependency);
      co_await watch_.until(std::move(what), options_.timeout, std::move(met));
    } catch (Error& error) {
      if (how.required || error.kind() == ErrorKind::cancelled)
        throw error.within(fmt::format("service {} depends on {}", service->name, dependency));
      step("service", dependency, "failed", error.message());
    }
  }
}

task<> Reconciler::wait_until_up(std::string service) {
  std::function<bool()> up = [this, service] {
    bool all_up = true;
    for (const auto& container : containers_of(service)) {
      if (container.state == engine::State::exited && !completed(container))
        throw Error(ErrorKind::conflict,
                    fmt::format("{} exited with code {}{}", container.spec.name, container.exit_code,
                                container.error.empty() ? "" : ": " + container.error),
                    fmt::format("see 'gantry logs {}'", container.spec.name));
      all_up = all_up && (is_up(container) || completed(container));
    }
    return all_up;
  };
  bool waited = !up();
  if (waited) step("service", service, "waiting");
  auto what = fmt::format("service {}", service);
  co_await watch_.until(std::move(what), options_.timeout, std::move(up));
  if (waited) step("service", service, "healthy");
}

task<> Reconciler::remove_orphans() {
  std::vector<task<>> removals;
  for (auto& container : containers_of_stack(engine_, stack_.name))
    if (whole_.services.count(label(container, engine::kServiceLabel)) == 0)
      removals.push_back(remove_container(engine_, std::move(container), std::nullopt, true, sink_));
  co_await all(std::move(removals));
}

task<> Reconciler::remove_unused_networks() {
  std::set<std::string> wanted;
  for (const auto& [key, network] : whole_.networks) wanted.insert(network.name);
  for (auto& info : engine_.networks().list()) {
    if (info.spec.labels[engine::kStackLabel] != stack_.name || wanted.count(info.spec.name) != 0 || info.endpoints > 0)
      continue;
    co_await engine_.networks().remove(info.id.str());
    step("network", info.spec.name, "removed");
  }
}

task<> remove_container(engine::Engine& engine, engine::ContainerInfo container, std::optional<Duration> grace,
                        bool volumes, StepSink sink) {
  Step step{.kind = "container", .name = container.spec.name};
  auto report = [&](const char* status) {
    step.status = status;
    sink(step);
  };
  try {
    if (is_running(container) || container.state == engine::State::restarting ||
        container.state == engine::State::starting) {
      report("stopping");
      co_await engine.stop(container.id, grace);
      report("stopped");
    }
    co_await engine.remove(container.id, {.force = true, .volumes = volumes});
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) co_return;  // somebody else removed it meanwhile: that is what is wanted
    step.detail = error.message();
    if (error.kind() != ErrorKind::cancelled) report("failed");
    throw;
  }
  report("removed");
}

task<> bring_down(engine::Engine& engine, std::string stack, std::vector<std::vector<std::string>> levels,
                  std::vector<std::string> volumes, DownOptions options, StepSink sink) {
  auto remove_matching = [&](const std::set<std::string>* services) {
    std::vector<task<>> removals;
    for (auto& container : containers_of_stack(engine, stack))
      if (services == nullptr || services->count(label(container, engine::kServiceLabel)) != 0)
        removals.push_back(remove_container(engine, std::move(container), options.grace, true, sink));
    return all(std::move(removals));
  };
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    std::set<std::string> services(level->begin(), level->end());
    co_await remove_matching(&services);
  }
  co_await remove_matching(nullptr);
  for (auto& info : engine.networks().list()) {
    if (info.spec.labels[engine::kStackLabel] != stack) continue;
    co_await engine.networks().remove(info.id.str());
    sink({.kind = "network", .name = info.spec.name, .status = "removed"});
  }
  for (const auto& name : volumes) {
    auto& store = engine.volumes();
    try {
      auto remove = [&store, name] { store.remove(name); };
      co_await engine.pool().run(std::move(remove));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
      continue;
    }
    sink({.kind = "volume", .name = name, .status = "removed"});
  }
}

}  // namespace gantry::platform
