#include <sys/wait.h>

#include <algorithm>
#include <set>

#include "create.h"
#include "gantry/base/files.h"
#include "human.h"
#include "names.h"
#include "surroundings.h"

/// Containers as a whole: lists, states and their changes.
namespace gantry::api::docker {
namespace {

namespace bj = boost::json;
using engine::ContainerInfo;

/// The references of a container that exist, or the error Docker gives for an unknown one.
ContainerInfo info_of(Services& services, const std::string& reference) {
  return services.engine().inspect(find_container(services, reference));
}

/// What `docker ps` can ask for, with everything that must be looked up once.
class ContainerSelection {
 public:
  ContainerSelection(Services& services, const http::Query& query)
      : filters_(query, {"id", "name", "label", "label!", "exited", "status", "ancestor", "before", "since", "volume",
                         "network", "health", "publish", "expose", "is-task", "isolation"}),
        all_(docker_flag(query, "all")),
        limit_(query.has("limit") ? std::atoi(query.get("limit").c_str()) : 0) {
    for (const auto& status : filters_.all("status"))
      if (!kStatus.contains(status)) throw Error(ErrorKind::invalid, "invalid filter 'status=" + status + "'");
    for (const auto& health : filters_.all("health"))
      if (!kHealth.contains(health)) throw Error(ErrorKind::invalid, "invalid filter 'health=" + health + "'");
    for (const auto& code : filters_.all("exited"))
      if (code.empty() || code.find_first_not_of("0123456789") != std::string::npos || code.size() > 3)
        throw Error(ErrorKind::invalid, "invalid filter 'exited=" + code + "'");
    for (const auto& reference : filters_.all("before")) before_ = info_of(services, reference).created;
    for (const auto& reference : filters_.all("since")) since_ = info_of(services, reference).created;
    if (filters_.flag("is-task").value_or(false)) nothing_ = true;  // there is no swarm
    // Asking for a state, or for an age, means all of them.
    if (filters_.has("status") || filters_.has("exited") || before_ || since_) all_ = true;
    if (limit_ > 0) all_ = true;
  }

  bool all() const { return all_; }
  std::size_t limit() const { return limit_ > 0 ? static_cast<std::size_t>(limit_) : SIZE_MAX; }
  const std::vector<std::string>& ancestors() const { return filters_.all("ancestor"); }
  void set_ancestors(std::set<std::string> ids) { ancestors_ = std::move(ids); }

  bool operator()(const ContainerInfo& info, const engine::ContainerDetails& details) const {
    if (nothing_ || !(all_ || is_running(info) || info.state == engine::State::restarting)) return false;
    if (before_ && info.created >= *before_) return false;
    if (since_ && info.created <= *since_) return false;
    return filters_.match_prefix("id", info.id.str()) && match_name(info.spec.name) &&
           filters_.match_labels(info.spec.labels) && filters_.match("status", state_name(info)) &&
           match_exited(info) && match_ancestor(info) && match_volume(details) && match_network(info) &&
           filters_.match("health", json::name_of(info.health)) && match_ports(info, details);
  }

 private:
  bool match_name(const std::string& name) const {
    return filters_.match_pattern("name", name) || filters_.match_pattern("name", "/" + name);
  }
  bool match_exited(const ContainerInfo& info) const {
    return !filters_.has("exited") ||
           (state_name(info) == "exited" && filters_.match("exited", std::to_string(info.exit_code)));
  }
  bool match_ancestor(const ContainerInfo& info) const {
    return ancestors().empty() || ancestors_.contains(info.image_id) ||
           std::ranges::find(ancestors(), info.spec.image) != ancestors().end();
  }
  bool match_volume(const engine::ContainerDetails& details) const {
    const auto& wanted = filters_.all("volume");
    if (wanted.empty()) return true;
    return std::ranges::any_of(details.mounts, [&](const engine::Mount& mount) {
      return std::ranges::find(wanted, mount.source) != wanted.end() ||
             std::ranges::find(wanted, mount.target) != wanted.end();
    });
  }
  bool match_network(const ContainerInfo& info) const {
    const auto& wanted = filters_.all("network");
    if (wanted.empty()) return true;
    std::set<std::string> names{network_mode(info.spec)};
    for (const auto& attachment : info.spec.networks) names.insert(docker_network(attachment.network));
    for (const auto& address : info.addresses) names.insert(docker_network(address.network));
    return std::ranges::any_of(wanted, [&](const std::string& name) { return names.contains(name); });
  }
  bool match_ports(const ContainerInfo& info, const engine::ContainerDetails& details) const {
    auto covers = [](const std::string& wanted, std::uint16_t number, const std::string& protocol) {
      auto slash = wanted.find('/');
      if ((slash == std::string::npos ? "tcp" : wanted.substr(slash + 1)) != protocol) return false;
      auto range = wanted.substr(0, slash);
      auto dash = range.find('-');
      auto first = std::atoi(range.c_str());
      auto last = dash == std::string::npos ? first : std::atoi(range.c_str() + dash + 1);
      return number >= first && number <= last;
    };
    for (const auto& [filter, published] : {std::pair("publish", true), {"expose", false}}) {
      const auto& wanted = filters_.all(filter);
      if (wanted.empty()) continue;
      bool found = false;
      for (const auto& text : wanted) {
        (void)parse_port(text.substr(0, text.find('-')));
        if (published) {
          for (const auto& port : info.ports) found |= covers(text, port.host_port, json::name_of(port.protocol));
        } else {
          for (const auto& port : details.exposed_ports) {
            auto [number, protocol] = parse_port(port);
            found |= covers(text, number, json::name_of(protocol));
          }
        }
      }
      if (!found) return false;
    }
    return true;
  }

  static inline const std::set<std::string> kStatus{"created",  "running", "paused", "restarting",
                                                    "removing", "exited",  "dead"};
  static inline const std::set<std::string> kHealth{"none", "starting", "healthy", "unhealthy"};
  Filters filters_;
  bool all_;
  int limit_;
  bool nothing_ = false;
  std::optional<Timestamp> before_, since_;
  std::set<std::string> ancestors_;
};

std::set<std::string> image_ids(engine::Engine& engine, const std::vector<std::string>& references) {
  std::set<std::string> out;
  for (const auto& reference : references) {
    try {
      out.insert(engine.images().resolve(reference).id);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found && error.kind() != ErrorKind::invalid) throw;
    }
  }
  return out;
}

/// Bytes a container has written, and those of its image with them.
struct Sizes {
  std::uint64_t own = 0;
  std::uint64_t whole = 0;
};

Sizes measure(engine::Engine& engine, const std::string& upper, const std::string& image) {
  Sizes out{.own = tree_size(upper), .whole = 0};
  out.whole = out.own;
  try {
    out.whole += engine.images().resolve(image).size;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;  // removed by force, under the container
  }
  return out;
}

void add_sizes(const Sizes& sizes, bj::object* out) {
  (*out)["SizeRw"] = sizes.own;
  (*out)["SizeRootFs"] = sizes.whole;
}

task<> list_containers(Services& services, Call call) {
  ContainerSelection selection(services, call.query());
  auto& engine = services.engine();
  if (!selection.ancestors().empty()) {
    auto references = selection.ancestors();
    auto look_up = [&engine, references] { return image_ids(engine, references); };
    auto ids = co_await services.pool().run(look_up);
    selection.set_ancestors(std::move(ids));
  }
  auto around = co_await look_around(services);
  auto minor = minor_of(call);
  bool sizes = docker_flag(call.query(), "size");
  bj::array rows;
  std::vector<std::pair<std::string, std::string>> uppers;
  engine::ContainerFilter filter;
  engine.for_each(filter, [&](const ContainerInfo& info) {
    if (rows.size() >= selection.limit()) return;
    auto details = engine.details(info.id);
    if (!selection(info, details)) return;
    rows.push_back(list_container(info, details, around, minor));
    uppers.emplace_back(details.upper_path, info.image_id);
  });
  if (sizes) {
    auto measure_all = [&engine, &uppers] {
      std::vector<Sizes> out;
      out.reserve(uppers.size());
      for (const auto& [upper, image] : uppers) out.push_back(measure(engine, upper, image));
      return out;
    };
    auto measured = co_await services.pool().run(measure_all);
    for (std::size_t i = 0; i < measured.size(); ++i) add_sizes(measured[i], &rows[i].get_object());
  }
  co_await answer_json(call.exchange, 200, std::move(rows));
}

task<> show_container(Services& services, Call call) {
  auto id = target(services, call);
  auto around = co_await look_around(services);
  auto info = services.engine().inspect(id);
  auto details = services.engine().details(id);
  auto out = inspect_container(info, details, around, minor_of(call));
  if (docker_flag(call.query(), "size")) {
    auto& engine = services.engine();
    auto work = [&engine, &details, &info] { return measure(engine, details.upper_path, info.image_id); };
    auto sizes = co_await services.pool().run(work);
    add_sizes(sizes, &out);
  }
  co_await answer_json(call.exchange, 200, std::move(out));
}

bool is_up(const ContainerInfo& info) {
  return is_running(info) || info.state == engine::State::starting || info.state == engine::State::restarting;
}

/// The engine's words for a program that cannot be run, as clients look for them (they make exit codes of it).
[[noreturn]] void start_failure(const ContainerInfo& info, const Error& error) {
  auto program = info.argv.empty() ? std::string() : info.argv.front();
  auto prefix = "failed to create task for container: failed to create shim task: OCI runtime create failed: ";
  if (error.kind() == ErrorKind::not_found && error.message().find("no such command") != std::string::npos)
    throw Error(ErrorKind::invalid, prefix + ("exec: \"" + program + "\": executable file not found in $PATH"),
                error.fix());
  if (error.kind() == ErrorKind::invalid && error.message().find("not executable") != std::string::npos)
    throw Error(ErrorKind::invalid, prefix + ("exec: \"" + program + "\": permission denied"), error.fix());
  if (error.message().find("is not in the image's /etc/passwd") != std::string::npos)
    throw Error(ErrorKind::invalid,
                "unable to find user " + info.spec.user.substr(0, info.spec.user.find(':')) +
                    ": no matching entries in passwd file",
                error.fix());
  if (error.message().find("is not in the image's /etc/group") != std::string::npos)
    throw Error(ErrorKind::invalid,
                "unable to find group " + info.spec.user.substr(info.spec.user.find(':') + 1) +
                    ": no matching entries in group file",
                error.fix());
  throw error;
}

task<> start_container(Services& services, Call call) {
  auto id = target(services, call);
  auto info = services.engine().inspect(id);
  if (info.state == engine::State::paused)
    throw Error(ErrorKind::conflict, "cannot start a paused container, try unpause instead");
  if (is_up(info)) {
    co_await call.exchange.respond(304, "", "");
    co_return;
  }
  std::optional<Error> failure;
  try {
    co_await shield<void>(services.changes, "start a container", services.engine().start(id));
  } catch (const Error& error) {
    failure = error;
  }
  if (failure) start_failure(info, *failure);
  co_await answer_nothing(call.exchange);
}

std::optional<Duration> grace(const http::Query& query) {
  auto text = query.get("t");
  if (text.empty()) return std::nullopt;
  auto digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || digits.size() > 9 || digits.find_first_not_of("0123456789") != std::string::npos)
    throw Error(ErrorKind::invalid, "invalid timeout: " + text);
  auto seconds = std::stol(text);
  return std::chrono::seconds(seconds < 0 ? 100L * 365 * 86400 : seconds);  // negative: without limit
}

/// Instead of the container's own, since 1.42.
std::string stop_signal(const Call& call) { return minor_of(call) < 42 ? std::string() : call.query().get("signal"); }

task<> stop_container(Services& services, Call call) {
  auto id = target(services, call);
  auto info = services.engine().inspect(id);
  if (!is_up(info)) {
    co_await call.exchange.respond(304, "", "");
    co_return;
  }
  auto wait = grace(call.query());
  auto signal = stop_signal(call);
  auto work = services.engine().stop(id, wait, signal);
  co_await shield<void>(services.changes, "stop a container", std::move(work));
  co_await answer_nothing(call.exchange);
}

task<> restart_container(Services& services, Call call) {
  auto id = target(services, call);
  auto info = services.engine().inspect(id);
  auto wait = grace(call.query());
  auto signal = stop_signal(call);
  std::optional<Error> failure;
  try {
    auto work = services.engine().restart(id, wait, signal);
    co_await shield<void>(services.changes, "restart a container", std::move(work));
  } catch (const Error& error) {
    failure = error;
  }
  if (failure) start_failure(info, *failure);
  co_await answer_nothing(call.exchange);
}

task<> kill_container(Services& services, Call call) {
  auto reference = call.parameter("id");
  auto id = target(services, call);
  auto signal = call.query().get("signal", "SIGKILL");
  if (signal.empty()) signal = "SIGKILL";
  auto info = services.engine().inspect(id);
  if (!is_running(info))
    throw Error(ErrorKind::conflict,
                "cannot kill container: " + reference + ": container " + id.str() + " is not running");
  std::optional<Error> failure;
  try {
    co_await shield<void>(services.changes, "signal a container", services.engine().kill(id, signal));
  } catch (const Error& error) {
    failure = error;
  }
  if (failure && failure->message().starts_with("unknown signal"))
    throw Error(ErrorKind::invalid, "invalid signal: " + signal, failure->fix());
  if (failure) throw Error(*failure);
  co_await answer_nothing(call.exchange);
}

task<> pause_container(Services& services, Call call) {
  auto id = target(services, call);
  auto info = services.engine().inspect(id);
  if (info.state == engine::State::paused)
    throw Error(ErrorKind::conflict, "Container " + id.str() + " is already paused");
  if (!is_running(info)) throw Error(ErrorKind::conflict, "Container " + id.str() + " is not running");
  co_await shield<void>(services.changes, "pause a container", services.engine().pause(id));
  co_await answer_nothing(call.exchange);
}

task<> unpause_container(Services& services, Call call) {
  auto id = target(services, call);
  if (services.engine().inspect(id).state != engine::State::paused)
    throw Error(ErrorKind::conflict, "Container " + id.str() + " is not paused");
  co_await shield<void>(services.changes, "unpause a container", services.engine().unpause(id));
  co_await answer_nothing(call.exchange);
}

task<> rename_container(Services& services, Call call) {
  auto id = target(services, call);
  auto name = call.query().get("name");
  if (name.starts_with('/')) name.erase(0, 1);
  if (name.empty()) throw Error(ErrorKind::invalid, "Neither old nor new names may be empty");
  require_free_name(services, name);
  co_await shield<void>(services.changes, "rename a container", services.engine().rename(id, name));
  co_await answer_nothing(call.exchange);
}

task<> remove_container(Services& services, Call call) {
  auto id = target(services, call);
  if (docker_flag(call.query(), "link"))
    throw Error(ErrorKind::conflict, "Conflict, cannot remove the default link name of the container",
                "name the link as CONTAINER/ALIAS");
  engine::RemoveOptions options{docker_flag(call.query(), "force"), docker_flag(call.query(), "v")};
  auto info = services.engine().inspect(id);
  if (!options.force && is_up(info)) {
    auto name = "cannot remove container \"" + info.spec.name + "\": container is ";
    if (info.state == engine::State::paused)
      throw Error(ErrorKind::conflict, name + "paused and must be unpaused first");
    throw Error(ErrorKind::conflict, name + state_name(info) + ": stop the container before removing or force remove");
  }
  co_await shield<void>(services.changes, "remove a container", services.engine().remove(id, options));
  co_await answer_nothing(call.exchange);
}

// Of what a container has linked to, by the name it has there.
task<> remove_link(Services& services, Call call) {
  auto alias = call.parameter("alias");
  auto parent = call.parameter("id");
  if (!docker_flag(call.query(), "link"))
    throw Error(ErrorKind::not_found, "No such container: " + parent + "/" + alias);
  auto id = target(services, call);
  co_await shield<void>(services.changes, "remove a link", services.engine().unlink(id, alias));
  co_await answer_nothing(call.exchange);
}

// The head goes out before the wait, so that a client can begin to wait, and start the container when it sees it.
task<> wait_container(Services& services, Call call) {
  auto id = target(services, call);
  auto text = call.query().get("condition", "not-running");
  auto condition = engine::WaitCondition::not_running;
  if (text == "next-exit") {
    condition = engine::WaitCondition::next_exit;
  } else if (text == "removed") {
    condition = engine::WaitCondition::removed;
  } else if (!text.empty() && text != "not-running") {
    throw Error(ErrorKind::invalid, "invalid condition: \"" + text + "\"");
  }
  co_await call.exchange.start_stream(200, std::string(http::kJson));
  ExitStatus status;
  std::optional<Error> failure;
  try {
    status = co_await services.engine().wait(id, condition);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    failure = error;
  }
  bj::object out{{"StatusCode", failure ? -1 : status.code}};
  if (failure) out["Error"] = bj::object{{"Message", failure->message()}};
  co_await call.exchange.write(bj::serialize(out) + "\n");
}

task<> prune_containers(Services& services, Call call) {
  Filters filters(call.query(), {"until", "label", "label!"});
  auto until = filters.time("until");
  auto& engine = services.engine();
  std::vector<std::pair<ContainerId, std::string>> chosen;
  engine::ContainerFilter filter;
  engine.for_each(filter, [&](const ContainerInfo& info) {
    if (is_up(info) || info.state == engine::State::removing) return;
    if (until && info.created >= *until) return;
    if (filters.match_labels(info.spec.labels)) chosen.emplace_back(info.id, engine.details(info.id).upper_path);
  });
  bj::array deleted;
  std::uint64_t reclaimed = 0;
  for (const auto& [id, upper] : chosen) {
    auto measure = [path = upper] { return tree_size(path); };
    auto size = co_await services.pool().run(measure);
    engine::RemoveOptions options;
    try {
      co_await shield<void>(services.changes, "remove a container", engine.remove(id, options));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) throw;
      continue;  // started, or removed, meanwhile
    }
    deleted.emplace_back(id.str());
    reclaimed += size;
  }
  publish_prune(services, "container", reclaimed);
  bj::object out{{"ContainersDeleted", std::move(deleted)}, {"SpaceReclaimed", reclaimed}};
  co_await answer_json(call.exchange, 200, std::move(out));
}

}  // namespace

task<Surroundings> look_around(Services& services) {
  Surroundings out;
  for (auto& network : services.engine().networks().list()) {
    auto name = network.spec.name;
    out.networks.emplace(std::move(name), std::move(network));
  }
  auto& volumes = services.engine().volumes();
  auto read = [&volumes] { return volumes.list(); };
  auto all = co_await services.pool().run(read);
  for (auto& volume : all) out.volume_paths.emplace(volume.name, volume.path);
  co_return out;
}

std::vector<Route> container_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  constexpr auto kChanges = Effect::changes;
  return {
      {"GET", "/containers/json", "container.list", kReads, {}, with(s, list_containers)},
      {"GET", "/containers/{id}/json", "container.read", kReads, {}, with(s, show_container)},
      {"POST", "/containers/{id}/start", "container.start", kChanges, {}, with(s, start_container)},
      {"POST", "/containers/{id}/stop", "container.stop", kChanges, {}, with(s, stop_container)},
      {"POST", "/containers/{id}/restart", "container.restart", kChanges, {}, with(s, restart_container)},
      {"POST", "/containers/{id}/kill", "container.kill", kChanges, {}, with(s, kill_container)},
      {"POST", "/containers/{id}/pause", "container.pause", kChanges, {}, with(s, pause_container)},
      {"POST", "/containers/{id}/unpause", "container.pause", kChanges, {}, with(s, unpause_container)},
      {"POST", "/containers/{id}/rename", "container.rename", kChanges, {}, with(s, rename_container)},
      {"POST", "/containers/{id}/wait", "container.read", kReads, {}, with(s, wait_container)},
      {"DELETE", "/containers/{id}", "container.remove", kChanges, {}, with(s, remove_container)},
      {"DELETE", "/containers/{id}/{alias}", "container.update", kChanges, {}, with(s, remove_link)},
      {"POST", "/containers/prune", "container.remove", kChanges, {}, with(s, prune_containers)},
  };
}

}  // namespace gantry::api::docker
