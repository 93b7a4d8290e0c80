#include <fmt/format.h>

#include "api.h"
#include "command.h"
#include "format.h"
#include "gantry/disk/report.h"
#include "table.h"

namespace gantry::cli {
namespace {

constexpr std::size_t kLargest = 5;

struct Disk {
  bool all = false;
};

void declare_disk(Options& options, Disk& disk) {
  options.flag("-a,--all", disk.all, "every image, container and volume, not only the largest");
}

using gantry::disk::Report;

std::string shares_text(const Report& report) {
  Table table({"KIND", "COUNT", "IN USE", "SIZE", "BUDGET", "CAN BE GIVEN BACK"});
  for (const auto& share : report.shares) {
    bool counted = share.kind != "build cache";
    auto budget = share.budget ? human_bytes(*share.budget) : std::string("none");
    if (share.budget && share.bytes > *share.budget) budget += " (exceeded)";
    auto back = human_bytes(share.reclaimable);
    if (share.reclaimable > 0 && !share.how.empty()) back += " (" + share.how + ")";
    table.add({share.kind, counted ? std::to_string(share.count) : "", counted ? std::to_string(share.used) : "",
               human_bytes(share.bytes), budget, back});
  }
  return table.text();
}

template <class Row>
std::string rest_of(const std::vector<Row>& rows, std::size_t shown) {
  return rows.size() > shown ? fmt::format("and {} more, see --all\n", rows.size() - shown) : "";
}

std::string images_text(const Report& report, bool all) {
  if (report.images.empty()) return "";
  Table table({"IMAGE", "SIZE", "SHARED", "ITS OWN", "CONTAINERS", "USED"});
  auto shown = all ? report.images.size() : std::min(kLargest, report.images.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& image = report.images[i];
    table.add({image.name.empty() ? short_digest(image.id) : image.name, human_bytes(image.bytes),
               human_bytes(image.shared), human_bytes(image.unique), std::to_string(image.containers),
               image.used ? ago(*image.used, now()) : ""});
  }
  return "\n" + table.text() + rest_of(report.images, shown);
}

std::string containers_text(const Report& report, bool all) {
  if (report.containers.empty()) return "";
  Table table({"CONTAINER", "WRITTEN", "LOGS", "RUNS"});
  auto shown = all ? report.containers.size() : std::min(kLargest, report.containers.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& one = report.containers[i];
    table.add({one.name, human_bytes(one.writable), human_bytes(one.logs), one.running ? "yes" : "no"});
  }
  return "\n" + table.text() + rest_of(report.containers, shown);
}

std::string volumes_text(const Report& report, bool all) {
  if (report.volumes.empty()) return "";
  Table table({"VOLUME", "SIZE", "CONTAINERS"});
  auto shown = all ? report.volumes.size() : std::min(kLargest, report.volumes.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& one = report.volumes[i];
    auto name = one.anonymous ? one.name.substr(0, 12) + " (anonymous)" : one.name;
    table.add({name, human_bytes(one.bytes), std::to_string(one.containers)});
  }
  return "\n" + table.text() + rest_of(report.volumes, shown);
}

task<int> disk(Context& context, Disk request) {
  auto answer = co_await api::get(context.client, "/v1/disk");
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  auto report = json::from<Report>(answer);
  context.console.out(shares_text(report) + images_text(report, request.all) + containers_text(report, request.all) +
                      volumes_text(report, request.all));
  context.console.out(fmt::format("\n{} in {}; {} of {} are free there\n", human_bytes(report.total), report.data_dir,
                                  human_bytes(report.free), human_bytes(report.size)));
  co_return 0;
}

struct DiskPrune {
  bool all = false;
};

void declare_disk_prune(Options& options, DiskPrune& prune) {
  options.flag("-a,--all", prune.all, "every image that no container uses, not only those without a name");
}

task<int> disk_prune(Context& context, DiskPrune request) {
  http::ClientRequest post;
  post.method = "POST";
  post.path = "/v1/disk/prune";
  if (request.all) post.query.add("all", "1");
  auto text = co_await context.client.call(std::move(post));
  auto answer = json::parse(text, "the daemon's answer");
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  auto bytes = [&](const char* key) { return human_bytes(json::from<std::uint64_t>(answer.at(key))); };
  context.console.out(fmt::format("{} of images and {} of build cache given back\n", bytes("images"), bytes("cache")));
  co_return 0;
}

}  // namespace

std::vector<Command> disk_commands() {
  return {
      {"disk",
       "Show who owns the bytes of the disk, with budgets and what can be given back",
       {"gantry disk", "gantry disk --all --format json"},
       prepare<Disk, declare_disk, disk>},
      {"prune",
       "Give back the build cache and images without a name",
       {"gantry prune", "gantry prune --all"},
       prepare<DiskPrune, declare_disk_prune, disk_prune>},
  };
}

}  // namespace gantry::cli
