#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <fstream>

#include "body.h"
#include "describe.h"
#include "gantry/base/files.h"
#include "gantry/host/checks.h"
#include "human.h"
#include "routes.h"

namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

std::string api_text(int minor) { return "1." + std::to_string(minor); }

utsname system_name() {
  utsname out{};
  if (::uname(&out) != 0) throw_errno("uname");
  return out;
}

/// As Go names architectures.
std::string go_arch(std::string machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  return machine;
}

task<> ping(Services&, Call call) {
  auto& exchange = call.exchange;
  // Version 1: `docker build` uses the classic endpoint.
  exchange.set_header("Builder-Version", "1");
  exchange.set_header("Swarm", "inactive");
  exchange.set_header("Cache-Control", "no-cache, no-store, must-revalidate");
  exchange.set_header("Pragma", "no-cache");
  co_await exchange.respond(200, "text/plain; charset=utf-8", "OK");
}

task<> version(Services& services, Call call) {
  auto system = system_name();
  auto own = services.parts.daemon.version;
  bj::object details{{"ApiVersion", api_text(kNewestMinor)},
                     {"Arch", go_arch(system.machine)},
                     {"KernelVersion", system.release},
                     {"MinAPIVersion", api_text(kOldestMinor)},
                     {"Os", "linux"}};
  bj::object out{{"Platform", bj::object{{"Name", "Gantry"}}},
                 {"Components", bj::array{bj::object{{"Name", "Engine"}, {"Version", own}, {"Details", details}}}},
                 {"Version", own},
                 {"ApiVersion", api_text(kNewestMinor)},
                 {"MinAPIVersion", api_text(kOldestMinor)},
                 {"GitCommit", ""},
                 {"GoVersion", ""},
                 {"Os", "linux"},
                 {"Arch", go_arch(system.machine)},
                 {"KernelVersion", system.release}};
  co_await answer_json(call.exchange, 200, std::move(out));
}

std::uint64_t total_memory() {
  struct sysinfo memory;
  return ::sysinfo(&memory) == 0 ? memory.totalram * memory.mem_unit : 0;
}

std::string os_release_name() {
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("PRETTY_NAME=\"")) return line.substr(13, line.size() - 14);
  return "Linux";
}

struct Counted {
  std::size_t images = 0;
  std::string os;
  host::CgroupMode cgroups = host::CgroupMode::none;
  bool ipv4_forwarding = false;
};

/// Members that came, went or changed with a version.
void adapt_info(bj::object& out, int minor, bool pure) {
  if (minor < 25) out["SecurityOptions"] = bj::array{"seccomp", "userns"};
  if (minor < 42) out["KernelMemory"] = out["KernelMemoryTCP"] = !pure;
  if (minor < 44) out.erase("CDISpecDirs");
  if (minor < 49) {
    for (const char* name : {"ContainerdCommit", "RuncCommit", "InitCommit"}) out[name].as_object()["Expected"] = "";
    auto& registries = out["RegistryConfig"].as_object();
    registries["AllowNondistributableArtifactsCIDRs"] = nullptr;
    registries["AllowNondistributableArtifactsHostnames"] = nullptr;
  } else {
    out["FirewallBackend"] = bj::object{{"Driver", "nftables"}};
  }
  if (minor < 50) out["BridgeNfIptables"] = out["BridgeNfIp6tables"] = false;
}

task<> info(Services& services, Call call) {
  auto& engine = services.engine();
  auto measure = [&engine] {
    return Counted{
        .images = engine.images().list().size(),
        .os = os_release_name(),
        .cgroups = host::cgroup_mode(),
        .ipv4_forwarding = read_file_if_exists("/proc/sys/net/ipv4/ip_forward").value_or("0").starts_with('1')};
  };
  auto counted = co_await services.pool().run(measure);
  int running = 0, paused = 0, stopped = 0;
  engine::ContainerFilter filter;
  engine.for_each(filter, [&](const engine::ContainerInfo& info) {
    if (info.state == engine::State::paused) {
      ++paused;
    } else if (is_running(info)) {
      ++running;
    } else {
      ++stopped;
    }
  });
  auto system = system_name();
  bool pure = counted.cgroups == host::CgroupMode::pure_v2;
  auto own = services.parts.daemon.version;
  bj::array none;
  bj::object out{
      {"ID", services.parts.daemon.instance},
      {"Containers", running + paused + stopped},
      {"ContainersRunning", running},
      {"ContainersPaused", paused},
      {"ContainersStopped", stopped},
      {"Images", counted.images},
      {"Driver", "overlay2"},
      {"DriverStatus", bj::array{bj::array{"Backing Filesystem", "overlayfs"}}},
      {"Plugins", bj::object{{"Volume", bj::array{"local"}},
                             {"Network", bj::array{"bridge", "host", "null"}},
                             {"Authorization", nullptr},
                             {"Log", bj::array{"json-file", "local", "none", "syslog", "gelf", "fluentd"}}}},
      {"MemoryLimit", true},
      {"SwapLimit", true},
      {"CpuCfsPeriod", true},
      {"CpuCfsQuota", true},
      {"CPUShares", true},
      {"CPUSet", true},
      {"PidsLimit", true},
      {"IPv4Forwarding", counted.ipv4_forwarding},
      {"Debug", false},
      {"NFd", 0},
      {"OomKillDisable", !pure},
      {"NGoroutines", 0},
      {"SystemTime", to_rfc3339(now())},
      {"LoggingDriver", "json-file"},
      {"CgroupDriver", "cgroupfs"},
      {"CgroupVersion", pure ? "2" : "1"},
      {"NEventsListener", 0},
      {"KernelVersion", system.release},
      {"OperatingSystem", counted.os},
      {"OSVersion", ""},
      {"OSType", "linux"},
      {"Architecture", system.machine},
      {"IndexServerAddress", "https://index.docker.io/v1/"},
      {"RegistryConfig", bj::object{{"InsecureRegistryCIDRs", bj::array{"127.0.0.0/8", "::1/128"}},
                                    {"IndexConfigs", bj::object()},
                                    {"Mirrors", none}}},
      {"NCPU", static_cast<std::int64_t>(::get_nprocs())},
      {"MemTotal", total_memory()},
      {"GenericResources", nullptr},
      {"DockerRootDir", services.parts.daemon.data_dir.string()},
      {"HttpProxy", ""},
      {"HttpsProxy", ""},
      {"NoProxy", ""},
      {"Name", system.nodename},
      {"Labels", none},
      {"ExperimentalBuild", false},
      {"ServerVersion", own},
      {"Runtimes", bj::object{{"gantry", bj::object{{"path", "gantry-shim"}}}, {"crun", bj::object{{"path", "crun"}}}}},
      {"DefaultRuntime", "gantry"},
      {"Swarm", bj::object{{"NodeID", ""},
                           {"NodeAddr", ""},
                           {"LocalNodeState", "inactive"},
                           {"ControlAvailable", false},
                           {"Error", ""},
                           {"RemoteManagers", nullptr}}},
      {"LiveRestoreEnabled", true},
      {"Isolation", ""},
      {"InitBinary", "catatonit"},
      {"ContainerdCommit", bj::object{{"ID", ""}}},
      {"RuncCommit", bj::object{{"ID", ""}}},
      {"InitCommit", bj::object{{"ID", ""}}},
      {"SecurityOptions", bj::array{"name=seccomp,profile=builtin", "name=userns", "name=cgroupns"}},
      {"CDISpecDirs", bj::array{"/etc/cdi", "/var/run/cdi"}},
      {"Warnings", nullptr},
  };
  adapt_info(out, minor_of(call), pure);
  co_await answer_json(call.exchange, 200, std::move(out));
}

task<> empty_list(Services&, Call call) { co_await answer_json(call.exchange, 200, bj::array()); }

task<> no_plugin(Services&, Call call) {
  auto name = call.parameter("name");
  throw Error(ErrorKind::not_found, "plugin \"" + name + "\" not found",
              "Gantry has no plugins: what they are needed for is built in");
  co_return;
}

task<> no_plugins(Services&, Call) {
  throw Error(ErrorKind::unsupported, "plugins are not supported",
              "what they are needed for is built in: volumes with options, log drivers, devices by CDI");
  co_return;
}

/// Docker's status for a node that is in no swarm.
task<> no_swarm(Services&, Call) {
  throw Error(ErrorKind::unavailable,
              "This node is not a swarm manager. Gantry has no swarm mode: use 'gantry up' with a compose file on one "
              "machine, and the same file on Kubernetes where one is outgrown.");
  co_return;
}

task<> no_session(Services&, Call) {
  throw Error(ErrorKind::not_found,
              "page not found: BuildKit sessions are not served; builds go through POST /build (DOCKER_BUILDKIT=0)");
  co_return;
}

}  // namespace

std::vector<Route> system_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  std::vector<Route> out{
      {"GET", "/_ping", "daemon.ping", kReads, {}, with(s, ping)},
      {"HEAD", "/_ping", "daemon.ping", kReads, {}, with(s, ping)},
      {"GET", "/version", "daemon.read", kReads, {}, with(s, version)},
      {"GET", "/info", "daemon.read", kReads, {}, with(s, info)},
      {"GET", "/plugins", "daemon.read", kReads, {}, with(s, empty_list)},
      {"GET", "/plugins/{name...}/json", "daemon.read", kReads, {}, with(s, no_plugin)},
      {"GET", "/plugins/privileges", "daemon.read", kReads, {}, with(s, no_plugins)},
      {"POST", "/plugins/pull", "plugin.change", kReads, {}, with(s, no_plugins)},
      {"POST", "/plugins/create", "plugin.change", kReads, {}, with(s, no_plugins)},
      {"DELETE", "/plugins/{name...}", "plugin.change", kReads, {}, with(s, no_plugin)},
      {"POST", "/session", "image.build", kReads, {}, with(s, no_session)},
      {"POST", "/grpc", "image.build", kReads, {}, with(s, no_session)},
  };
  for (const char* verb : {"enable", "disable", "set", "upgrade", "push"})
    out.push_back({"POST", std::string("/plugins/{name...}/") + verb, "plugin.change", kReads, {}, with(s, no_plugin)});
  for (const char* path :
       {"/nodes/{id}/update", "/services/{id}/update", "/secrets/{id}/update", "/configs/{id}/update"})
    out.push_back({"POST", path, "swarm.change", kReads, {}, with(s, no_swarm)});
  for (const char* path : {"/services/{id}/logs", "/tasks/{id}/logs"})
    out.push_back({"GET", path, "swarm.read", kReads, {}, with(s, no_swarm)});
  for (const char* path : {"/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs", "/swarm/unlockkey"})
    out.push_back({"GET", path, "swarm.read", kReads, {}, with(s, no_swarm)});
  for (const char* path : {"/nodes/{id}", "/services/{id}", "/tasks/{id}", "/secrets/{id}", "/configs/{id}"}) {
    out.push_back({"GET", path, "swarm.read", kReads, {}, with(s, no_swarm)});
    out.push_back({"DELETE", path, "swarm.change", kReads, {}, with(s, no_swarm)});
  }
  for (const char* path : {"/swarm/init", "/swarm/join", "/swarm/leave", "/swarm/update", "/swarm/unlock",
                           "/services/create", "/secrets/create", "/configs/create"})
    out.push_back({"POST", path, "swarm.change", kReads, {}, with(s, no_swarm)});
  return out;
}

}  // namespace gantry::api::docker
