#include <sys/utsname.h>

#include "gantry/host/checks.h"
#include "routes.h"

namespace gantry::api::v1 {
namespace {

struct Ping {
  std::string status = "ok";
};
BOOST_DESCRIBE_STRUCT(Ping, (), (status))

struct Version {
  std::string version;
  std::string api = "v1";
  std::string os;
  std::string arch;
  std::string kernel;
};
BOOST_DESCRIBE_STRUCT(Version, (), (version, api, os, arch, kernel))

struct Info {
  std::string instance;
  std::filesystem::path data_dir;
  std::filesystem::path run_dir;
  host::CgroupMode cgroups = host::CgroupMode::none;
  std::size_t containers = 0;
  std::size_t running = 0;
  std::size_t images = 0;
  std::size_t networks = 0;
  std::size_t volumes = 0;
  std::size_t stacks = 0;
};
BOOST_DESCRIBE_STRUCT(Info, (),
                      (instance, data_dir, run_dir, cgroups, containers, running, images, networks, volumes, stacks))

task<> ping(Services&, Call call) {
  Ping alive;
  co_await answer(call.exchange, 200, std::move(alive));
}

task<> version(Services& services, Call call) {
  utsname system{};
  if (::uname(&system) != 0) throw_errno("uname");
  Version result;
  result.version = services.parts.daemon.version;
  result.os = "linux";
  result.arch = system.machine;
  result.kernel = system.release;
  co_await answer(call.exchange, 200, std::move(result));
}

task<> info(Services& services, Call call) {
  auto& engine = services.engine();
  auto measure = [&engine] {
    Info counted;
    counted.cgroups = host::cgroup_mode();
    counted.images = engine.images().list().size();
    counted.volumes = engine.volumes().list().size();
    return counted;
  };
  auto result = co_await services.pool().run(measure);
  result.instance = services.parts.daemon.instance;
  result.data_dir = services.parts.daemon.data_dir;
  result.run_dir = services.parts.daemon.run_dir;
  engine::ContainerFilter filter;
  result.containers = engine.list(filter).size();
  filter.all = false;
  result.running = engine.list(filter).size();
  result.networks = engine.networks().list().size();
  result.stacks = services.parts.stacks.list().size();
  co_await answer(call.exchange, 200, std::move(result));
}

task<> doctor(Services& services, Call call) {
  host::Places places{services.parts.daemon.data_dir, services.parts.daemon.run_dir};
  auto check = [places] { return host::check_host(places); };
  auto findings = co_await services.pool().run(check);
  for (const auto& warning : services.parts.disk.warnings())
    findings.push_back({"disk budget of " + warning.kind, host::Verdict::warning, warning.problem, warning.fix});
  co_await answer(call.exchange, 200, std::move(findings));
}

}  // namespace

std::vector<Route> daemon_routes(Services& s) {
  return {
      {"GET", "/v1/ping", "daemon.ping", Effect::reads, {}, with(s, ping)},
      {"GET", "/v1/version", "daemon.read", Effect::reads, {}, with(s, version)},
      {"GET", "/v1/info", "daemon.read", Effect::reads, {}, with(s, info)},
      {"GET", "/v1/doctor", "daemon.read", Effect::reads, {}, with(s, doctor)},
  };
}

}  // namespace gantry::api::v1
