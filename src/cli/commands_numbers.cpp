#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "api.h"
#include "command.h"
#include "gather.h"
#include "parse.h"
#include "table.h"
#include "targets.h"
#include "terminal.h"
#include "usage_text.h"

namespace gantry::cli {
namespace {

using engine::ContainerInfo;
constexpr auto kBetween = std::chrono::seconds(1);
constexpr auto kFirstLook = std::chrono::milliseconds(300);

struct StatsFlags {
  bool once = false;
  std::vector<std::string> names;
};

void declare_stats(Options& options, StatsFlags& stats) {
  options.flag("--no-stream", stats.once, "once, and not again every second").rest("NAME", stats.names);
}

task<std::vector<ContainerInfo>> wanted_containers(Context& context, std::vector<std::string> names) {
  if (names.empty()) {
    http::Query query;
    query.add("view", "summary");
    co_return co_await api::fetch<std::vector<ContainerInfo>>(context.client, "/v1/containers", query);
  }
  std::vector<ContainerInfo> out;
  for (auto name : names) {
    auto found = co_await find_containers(context, name, true);
    out.insert(out.end(), found.begin(), found.end());
  }
  co_return out;
}

task<> read_one(const http::Client& client, std::string id, Reading* reading) {
  reading->now = co_await api::fetch<engine::Stats>(client, api::path("containers", id, "stats"));
}

// One that goes away meanwhile has used nothing.
task<> read_all(Context& context, std::map<std::string, Reading>* readings) {
  std::vector<task<>> reads;
  for (auto& [id, reading] : *readings) {
    reading.before = std::exchange(reading.now, {});
    reads.push_back(read_one(context.client, id, &reading));
  }
  auto failures = co_await gather(std::move(reads));
  for (const auto& failure : failures)
    if (failure && to_error(failure).kind() != ErrorKind::not_found) std::rethrow_exception(failure);
}

task<int> stats(Context& context, StatsFlags flags) {
  bool live = !flags.once && !context.json() && is_terminal(STDOUT_FILENO);
  std::map<std::string, Reading> readings;
  for (bool first = true;; first = false) {
    auto containers = co_await wanted_containers(context, flags.names);
    std::map<std::string, Reading> still;
    for (const auto& container : containers) {
      still[container.id.str()] = readings[container.id.str()];
      still[container.id.str()].name = container.spec.name;
    }
    readings = std::move(still);
    co_await read_all(context, &readings);
    if (first) {
      // Shares of the processors need two readings.
      co_await sleep_for(kFirstLook);
      co_await read_all(context, &readings);
    }
    if (context.json()) {
      boost::json::array all;
      for (const auto& [id, reading] : readings) {
        auto value = json::to(reading.now).as_object();
        value["id"] = id;
        value["name"] = reading.name;
        value["cpu_percent"] = cpu_percent(reading);
        all.push_back(std::move(value));
      }
      context.print(all);
      co_return 0;
    }
    context.console.out((live ? "\x1b[H\x1b[J" : "") + stats_table(readings));
    if (!live) co_return 0;
    co_await sleep_for(kBetween);
  }
}

struct Top {
  std::string name;
};

void declare_top(Options& options, Top& top) { options.required("NAME", top.name); }

task<int> top(Context& context, Top request) {
  auto id = co_await find_container(context, request.name);
  auto answer = co_await api::get(context.client, api::path("containers", id, "processes"));
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  context.console.out(process_table(json::from<std::vector<ProcessInfo>>(answer)));
  co_return 0;
}

struct UpdateFlags {
  std::optional<std::string> memory, swap, reservation, cpus, shares, quota, period, cpuset, mems, pids, weight,
      restart;
  std::vector<std::string> names;
};

void declare_update(Options& options, UpdateFlags& update) {
  options.value("-m,--memory", "SIZE", update.memory, "memory limit (512m, 2g)")
      .value("--memory-swap", "SIZE", update.swap, "memory and swap together; -1: no limit")
      .value("--memory-reservation", "SIZE", update.reservation, "memory the kernel tries to leave alone")
      .value("--cpus", "NUMBER", update.cpus, "processor limit (1.5)")
      .value("-c,--cpu-shares", "NUMBER", update.shares, "share of the processors when they are busy (1024 is one)")
      .value("--cpu-quota", "MICROSECONDS", update.quota, "processor time in each period; -1: no limit")
      .value("--cpu-period", "MICROSECONDS", update.period, "length of a period")
      .value("--cpuset-cpus", "LIST", update.cpuset, "processors it may use (0-2,4)")
      .value("--cpuset-mems", "LIST", update.mems, "memory nodes it may use")
      .value("--pids-limit", "NUMBER", update.pids, "most processes at once; -1: no limit")
      .value("--blkio-weight", "NUMBER", update.weight, "share of the disks when they are busy (10 to 1000)")
      .value("--restart", "POLICY", update.restart, "no, always, unless-stopped, on-failure[:N]")
      .rest("NAME", update.names, true);
}

engine::ContainerUpdate change_of(const UpdateFlags& flags) {
  engine::ContainerUpdate out;
  auto& to = out.resources;
  auto size = [](const std::string& text, std::string_view option) {
    return text == "-1" ? engine::kUnlimited : parse_size(text, option);
  };
  if (flags.memory) to.memory = parse_size(*flags.memory, "--memory");
  if (flags.swap) to.memory_swap = size(*flags.swap, "--memory-swap");
  if (flags.reservation) to.memory_reservation = parse_size(*flags.reservation, "--memory-reservation");
  if (flags.cpus) to.cpus = parse_decimal(*flags.cpus, "--cpus");
  if (flags.shares) to.cpu_shares = static_cast<std::uint64_t>(parse_number(*flags.shares, "--cpu-shares"));
  if (flags.quota) to.cpu_quota = parse_number(*flags.quota, "--cpu-quota");
  if (flags.period) to.cpu_period = static_cast<std::uint64_t>(parse_number(*flags.period, "--cpu-period"));
  to.cpuset = flags.cpuset;
  to.cpuset_mems = flags.mems;
  if (flags.pids) to.pids = parse_number(*flags.pids, "--pids-limit");
  if (flags.weight) {
    to.block_io.emplace();
    to.block_io->weight = static_cast<std::uint16_t>(parse_number(*flags.weight, "--blkio-weight"));
  }
  if (flags.restart) out.restart = parse_restart(*flags.restart);
  return out;
}

task<> update_word(Context& context, std::string word, boost::json::value body) {
  auto found = co_await find_containers(context, word);
  for (const auto& container : found) {
    http::ClientRequest request;
    request.method = "POST";
    request.path = api::path("containers", container.id.str(), "update");
    request.body = boost::json::serialize(body);
    co_await context.client.call(std::move(request));
  }
}

task<int> update(Context& context, UpdateFlags flags) {
  auto body = json::to(change_of(flags));
  return for_each_name(context, flags.names,
                       [body](Context& ctx, std::string word) { return update_word(ctx, std::move(word), body); });
}

}  // namespace

std::vector<Command> number_commands() {
  return {
      {"stats",
       "Show what containers use of the machine",
       {"gantry stats", "gantry stats --no-stream web db"},
       prepare<StatsFlags, declare_stats, stats>},
      {"top", "Show the processes of a container", {"gantry top web"}, prepare<Top, declare_top, top>},
      {"update",
       "Change limits and restart policy of containers, also while they run",
       {"gantry update --memory 512m --cpus 1.5 web", "gantry update --restart always db"},
       prepare<UpdateFlags, declare_update, update>},
  };
}

}  // namespace gantry::cli
