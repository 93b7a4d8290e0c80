#include <sys/sysinfo.h>

#include <algorithm>

#include "body.h"
#include "create.h"
#include "gantry/base/process.h"
#include "human.h"
#include "routes.h"

/// What containers use: stats, top, update.
namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

constexpr auto kInterval = std::chrono::seconds(1);

bj::array counts(const std::vector<DeviceCount>& all) {
  bj::array out;
  for (const auto& one : all)
    out.push_back(bj::object{{"major", one.major}, {"minor", one.minor}, {"op", one.operation}, {"value", one.value}});
  return out;
}

bj::object cpu(const Usage& usage) {
  bj::object used{{"total_usage", usage.cpu_nanos},
                  {"usage_in_kernelmode", usage.cpu_kernel_nanos},
                  {"usage_in_usermode", usage.cpu_user_nanos}};
  if (!usage.cpu_each_nanos.empty())
    used["percpu_usage"] = bj::array(usage.cpu_each_nanos.begin(), usage.cpu_each_nanos.end());
  bj::object out{{"cpu_usage", std::move(used)},
                 {"throttling_data", bj::object{{"periods", usage.cpu_periods},
                                                {"throttled_periods", usage.cpu_throttled_periods},
                                                {"throttled_time", usage.cpu_throttled_nanos}}}};
  if (usage.host_cpu_nanos != 0) out["system_cpu_usage"] = usage.host_cpu_nanos;
  if (usage.processors != 0) out["online_cpus"] = usage.processors;
  return out;
}

std::uint64_t host_memory() {
  struct sysinfo info;
  return ::sysinfo(&info) == 0 ? info.totalram * info.mem_unit : 0;
}

bj::object memory(const Usage& usage) {
  if (usage.time == Timestamp{}) return {};
  bj::object details;
  for (const auto& [name, value] : usage.memory_details) details[name] = value;
  bj::object out{{"usage", usage.memory_total},
                 {"stats", std::move(details)},
                 {"limit", usage.memory_limit != 0 ? usage.memory_limit : host_memory()}};
  if (usage.memory_most != 0) out["max_usage"] = usage.memory_most;
  if (usage.memory_failures != 0) out["failcnt"] = usage.memory_failures;
  return out;
}

bj::object describe(const engine::ContainerInfo& info, const Usage& usage, const Usage& before) {
  bj::object pids;
  if (usage.pids != 0) pids["current"] = usage.pids;
  if (usage.pids_limit != 0) pids["limit"] = usage.pids_limit;
  bj::object out{{"name", "/" + info.spec.name},
                 {"id", info.id.str()},
                 {"read", usage.time == Timestamp{} ? "0001-01-01T00:00:00Z" : to_rfc3339(usage.time)},
                 {"preread", before.time == Timestamp{} ? "0001-01-01T00:00:00Z" : to_rfc3339(before.time)},
                 {"pids_stats", std::move(pids)},
                 {"blkio_stats", bj::object{{"io_service_bytes_recursive", counts(usage.io_bytes)},
                                            {"io_serviced_recursive", counts(usage.io_operations)},
                                            {"io_queue_recursive", nullptr},
                                            {"io_service_time_recursive", nullptr},
                                            {"io_wait_time_recursive", nullptr},
                                            {"io_merged_recursive", nullptr},
                                            {"io_time_recursive", nullptr},
                                            {"sectors_recursive", nullptr}}},
                 {"num_procs", 0},
                 {"storage_stats", bj::object()},
                 {"cpu_stats", cpu(usage)},
                 {"precpu_stats", cpu(before)},
                 {"memory_stats", memory(usage)}};
  if (usage.networks.empty()) return out;
  bj::object networks;
  for (const auto& [name, count] : usage.networks)
    networks[name] =
        bj::object{{"rx_bytes", count.rx_bytes},     {"rx_packets", count.rx_packets}, {"rx_errors", count.rx_errors},
                   {"rx_dropped", count.rx_dropped}, {"tx_bytes", count.tx_bytes},     {"tx_packets", count.tx_packets},
                   {"tx_errors", count.tx_errors},   {"tx_dropped", count.tx_dropped}};
  out["networks"] = std::move(networks);
  return out;
}

task<> stats(Services& services, Call call) {
  auto id = target(services, call);
  bool stream = docker_flag(call.query(), "stream", true);
  bool one_shot = docker_flag(call.query(), "one-shot");
  if (stream && one_shot) throw Error(ErrorKind::invalid, "cannot have stream=true and one-shot=true");
  auto& engine = services.engine();
  Usage before;
  auto usage = co_await engine.stats(id);
  if (!stream) {
    if (!one_shot && is_running(engine.inspect(id))) {
      before = std::move(usage);
      co_await sleep_for(kInterval);
      usage = co_await engine.stats(id);
    }
    auto out = describe(engine.inspect(id), usage, before);
    co_await answer_json(call.exchange, 200, std::move(out));
    co_return;
  }
  co_await call.exchange.start_stream(200, std::string(http::kJson));
  while (true) {
    auto text = bj::serialize(describe(engine.inspect(id), usage, before)) + "\n";
    co_await call.exchange.write(std::move(text));
    co_await sleep_for(kInterval);
    before = std::move(usage);
    bool gone = false;
    try {
      usage = co_await engine.stats(id);
    } catch (const Error& error) {
      gone = error.kind() == ErrorKind::not_found;
      if (!gone) throw;
    }
    if (gone) co_return;
  }
}

// top

struct Table {
  std::vector<std::string> titles;
  std::vector<std::vector<std::string>> rows;
};

std::vector<std::string> words(std::string_view text, std::size_t most = SIZE_MAX) {
  std::vector<std::string> out;
  while (true) {
    auto begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return out;
    text.remove_prefix(begin);
    auto end = out.size() + 1 == most ? text.size() : std::min(text.find_first_of(" \t"), text.size());
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

std::string clock(Duration cpu) {
  auto s = std::chrono::duration_cast<std::chrono::seconds>(cpu).count();
  return fmt::format("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string started_text(Timestamp started) {
  auto seconds = std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::seconds>(started));
  tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("{:02}:{:02}", local.tm_hour, local.tm_min);
}

/// The columns of `ps -ef`.
Table full_table(const std::vector<ProcessInfo>& processes) {
  Table out{{"UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"}, {}};
  for (const auto& one : processes)
    out.rows.push_back({one.uid == 0 ? "root" : std::to_string(one.uid), std::to_string(one.pid),
                        std::to_string(one.parent), "0", started_text(one.started), one.terminal, clock(one.cpu),
                        one.command});
  return out;
}

/// What the host's ps prints, without the processes of others. Blocking.
Table table_of_ps(const std::vector<std::string>& arguments, const std::vector<ProcessInfo>& processes) {
  Command command;
  command.argv = {"ps"};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  // "-o pid" alone selects the processes of a terminal; some options do not go with a list of processes.
  auto listed = command;
  std::string pids;
  for (const auto& one : processes) pids += (pids.empty() ? "-q" : ",") + std::to_string(one.pid);
  if (!pids.empty()) listed.argv.push_back(pids);
  auto result = run_captured(listed, {}, std::chrono::seconds(10));
  if (result.status.code != 0) result = run_captured(command, {}, std::chrono::seconds(10));
  if (result.status.code != 0)
    throw Error(ErrorKind::invalid, "error running ps: " + result.err, "check the arguments: they are those of ps(1)");
  Table out;
  std::size_t column = SIZE_MAX;
  std::string_view rest = result.out;
  while (!rest.empty()) {
    auto end = std::min(rest.find('\n'), rest.size());
    auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (out.titles.empty()) {
      out.titles = words(line);
      auto found = std::ranges::find(out.titles, "PID");
      if (found == out.titles.end())
        throw Error(ErrorKind::invalid, "couldn't find PID field in ps output", "have ps print the column PID");
      column = static_cast<std::size_t>(found - out.titles.begin());
      continue;
    }
    auto fields = words(line, out.titles.size());
    if (fields.size() <= column) continue;
    auto own = [&](const ProcessInfo& one) { return std::to_string(one.pid) == fields[column]; };
    if (std::ranges::any_of(processes, own)) out.rows.push_back(std::move(fields));
  }
  return out;
}

task<> top(Services& services, Call call) {
  auto id = target(services, call);
  auto info = services.engine().inspect(id);
  if (!is_running(info)) throw Error(ErrorKind::conflict, "container " + id.str() + " is not running");
  auto processes = co_await services.engine().processes(id);
  auto arguments = words(call.query().get("ps_args", "-ef"));
  Table table;
  if (arguments.empty() || (arguments.size() == 1 && arguments[0] == "-ef")) {
    table = full_table(processes);
  } else {
    auto run = [arguments, &processes] { return table_of_ps(arguments, processes); };
    table = co_await services.pool().run(run);
  }
  bj::array titles(table.titles.begin(), table.titles.end());
  bj::array rows;
  for (const auto& row : table.rows) rows.push_back(bj::array(row.begin(), row.end()));
  auto told = services.engine().container_event(id, "top");
  services.engine().publish(std::move(told));
  bj::object out{{"Titles", std::move(titles)}, {"Processes", std::move(rows)}};
  co_await answer_json(call.exchange, 200, std::move(out));
}

task<> update_container(Services& services, Call call) {
  auto id = target(services, call);
  auto object = co_await body_object(call.exchange);
  Body body(object);
  engine::ContainerUpdate change;
  read_resources(body, &change.resources, Limits::of_update);
  // Docker's client always sends a policy, and leaves it empty when none is meant.
  if (!body.object("RestartPolicy").text("Name").empty()) change.restart = read_restart(body);
  std::optional<Error> failure;
  try {
    co_await shield<void>(services.changes, "update a container", services.engine().update(id, std::move(change)));
  } catch (const Error& error) {
    failure = error;
  }
  if (failure && failure->message().find("above that of memory and swap") != std::string::npos)
    throw Error(ErrorKind::conflict,
                "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same "
                "time");
  if (failure) throw Error(*failure);
  bj::object out{{"Warnings", bj::array()}};
  co_await answer_json(call.exchange, 200, std::move(out));
}

}  // namespace

std::vector<Route> usage_routes(Services& s) {
  return {
      {"GET", "/containers/{id}/stats", "container.read", Effect::reads, {}, with(s, stats)},
      {"GET", "/containers/{id}/top", "container.read", Effect::reads, {}, with(s, top)},
      {"POST", "/containers/{id}/update", "container.update", Effect::changes, {}, with(s, update_container)},
  };
}

}  // namespace gantry::api::docker
