#include "gantry/host/checks.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <nftables/libnftables.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <optional>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/process.h"
#include "gantry/base/time.h"
#include "probe.h"

namespace gantry::host {
namespace {

namespace fs = std::filesystem;

constexpr char kCgroupRoot[] = "/sys/fs/cgroup";

Finding ok(std::string found) { return {.verdict = Verdict::ok, .found = std::move(found)}; }
Finding warning(std::string found, std::string fix) {
  return {.verdict = Verdict::warning, .found = std::move(found), .fix = std::move(fix)};
}
Finding failure(std::string found, std::string fix) {
  return {.verdict = Verdict::failure, .found = std::move(found), .fix = std::move(fix)};
}

std::string trimmed(std::optional<std::string> text) {
  if (!text) return {};
  while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
  return *text;
}

long file_system_type(const fs::path& path) {
  struct statfs info {};
  return ::statfs(path.c_str(), &info) == 0 ? static_cast<long>(info.f_type) : 0;
}

// The nearest directory that is there: the data directory itself may not have been made yet.
fs::path existing(fs::path path) {
  path = fs::absolute(path);
  std::error_code ignored;
  while (!fs::is_directory(path, ignored) && path.has_relative_path()) path = path.parent_path();
  return path;
}

Finding check_root(const Places&) {
  if (::geteuid() == 0) return ok("running as root");
  return failure("not running as root", "start gantryd as root (for example with 'sudo gantryd' or the systemd unit)");
}

Finding check_kernel(const Places&) {
  utsname names{};
  ::uname(&names);
  int major = 0, minor = 0;
  std::sscanf(names.release, "%d.%d", &major, &minor);
  if (major > 5 || (major == 5 && minor >= 19)) return ok(fmt::format("Linux {}", names.release));
  return failure(fmt::format("Linux {} is too old", names.release),
                 "use Linux 5.19 or newer (id-mapped overlay layers); Debian 12 has 6.1");
}

Finding check_user_namespaces(const Places&) {
  auto most = trimmed(read_file_if_exists("/proc/sys/user/max_user_namespaces"));
  if (most.empty()) return failure("this kernel has no user namespaces", "use a kernel built with CONFIG_USER_NS=y");
  if (most == "0") return failure("user namespaces are switched off", "run 'sysctl -w user.max_user_namespaces=65536'");
  return ok(fmt::format("up to {}", most));
}

Finding check_overlay(const Places&) {
  if (kernel_has("overlay")) return ok("overlayfs is there");
  return failure("this kernel has no overlayfs", "load it with 'modprobe overlay', or use a distribution kernel");
}

Finding check_layer_images(const Places&) {
  bool loop = fs::exists("/dev/loop-control");
  if (kernel_has("erofs") && loop) return ok("EROFS and loop devices are there");
  return warning(fmt::format("this host has no {}: large layers are unpacked to directories, which takes longer",
                             loop ? "EROFS" : "loop devices"),
                 "load it with 'modprobe erofs loop', or use a distribution kernel");
}

Finding check_id_mapped_mounts(const Places& places) {
  auto directory = existing(places.data_dir);
  auto problem = try_id_mapped_mount(directory);
  if (problem.empty()) return ok("supported under " + directory.string());
  return failure(fmt::format("not supported under {} ({})", directory.string(), problem),
                 "put the data directory on ext4, xfs or btrfs with --data-dir");
}

Finding check_seccomp(const Places&) {
  if (::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0 && fs::exists("/proc/sys/kernel/seccomp/actions_avail"))
    return ok("system call filters are there");
  return failure("this kernel has no seccomp filters", "use a kernel built with CONFIG_SECCOMP_FILTER=y");
}

Finding check_cgroups(const Places&) {
  switch (cgroup_mode()) {
    case CgroupMode::pure_v2: {
      auto controllers = " " + trimmed(read_file_if_exists(fs::path(kCgroupRoot) / "cgroup.controllers")) + " ";
      std::string missing;
      for (auto name : {"cpu", "memory", "pids"})
        if (controllers.find(fmt::format(" {} ", name)) == std::string::npos) missing += fmt::format(" {}", name);
      if (!missing.empty())
        return warning(
            "version 2 without the controllers" + missing,
            "boot without 'cgroup_disable=' on the kernel command line; these limits have no effect until then");
      return ok("pure version 2");
    }
    case CgroupMode::hybrid:
      return warning("hybrid: version 1 controllers beside version 2",
                     "works; limits use version 1. To move on, boot with 'systemd.unified_cgroup_hierarchy=1'");
    case CgroupMode::v1:
      return warning("version 1", "works; to move on, boot with 'systemd.unified_cgroup_hierarchy=1'");
    case CgroupMode::none:
      break;
  }
  return failure("no cgroup hierarchy is mounted", "run 'mount -t cgroup2 none /sys/fs/cgroup'");
}

Finding check_crun(const Places&) {
  auto path = find_program("crun");
  if (path.empty()) return failure("crun is not installed", "run 'apt-get install crun'");
  auto answer = run_captured({.argv = {path.string(), "--version"}}, {}, std::chrono::seconds(10));
  auto first = answer.out.substr(0, answer.out.find('\n'));
  int major = 0, minor = 0;
  if (std::sscanf(first.c_str(), "crun version %d.%d", &major, &minor) != 2)
    return failure(fmt::format("{} does not run: {}", path.string(), trimmed(answer.err)),
                   "reinstall it with 'apt-get install --reinstall crun'");
  if (major < 1 || (major == 1 && minor < 8))
    return failure(fmt::format("{} is too old", first), "install crun 1.8 or newer; Debian 12 has it");
  return ok(fmt::format("{} ({})", first, path.string()));
}

Finding check_program(std::string_view name, std::string_view used_for) {
  auto path = find_program(name);
  if (!path.empty()) return ok(path.string());
  return warning(fmt::format("{} is not installed", name),
                 fmt::format("run 'apt-get install {}' to use {}", name, used_for));
}

Finding check_init(const Places&) { return check_program("catatonit", "'init: true'"); }
Finding check_mmdebstrap(const Places&) { return check_program("mmdebstrap", "'gantry image bootstrap'"); }

Finding check_nftables(const Places&) {
  auto problem = in_throwaway_network([]() -> std::string {
    std::unique_ptr<nft_ctx, void (*)(nft_ctx*)> context(nft_ctx_new(NFT_CTX_DEFAULT), nft_ctx_free);
    nft_ctx_buffer_output(context.get());
    nft_ctx_buffer_error(context.get());
    static constexpr char kProbe[] =
        "add table inet gantry_probe; add chain inet gantry_probe c { type nat hook prerouting priority -100; }; "
        "add rule inet gantry_probe c tcp dport 1 dnat ip to 127.0.0.1:2";
    if (nft_run_cmd_from_buffer(context.get(), kProbe) == 0) return {};
    std::string text = nft_ctx_get_error_buffer(context.get());
    return text.substr(0, text.find('\n'));
  });
  if (problem.empty()) return ok("filtering and address translation work");
  return failure("nftables does not work: " + problem,
                 "load it with 'modprobe nf_tables nft_chain_nat', or use a distribution kernel");
}

Finding check_bridge(const Places&) {
  auto problem = in_throwaway_network(try_bridge_and_veth);
  if (problem.empty()) return ok("bridges and veth pairs work");
  return failure(problem, "load them with 'modprobe -a bridge veth', or use a distribution kernel");
}

Finding check_forwarding(const Places&) {
  if (trimmed(read_file_if_exists("/proc/sys/net/ipv4/ip_forward")) == "1") return ok("IPv4 forwarding is on");
  return warning(
      "IPv4 forwarding is off",
      "nothing to do: gantryd switches it on with the first network, and drops what is not for containers; to "
      "decide yourself run 'sysctl -w net.ipv4.ip_forward=1'");
}

Finding check_ipv6(const Places&) {
  if (trimmed(read_file_if_exists("/proc/sys/net/ipv6/conf/all/disable_ipv6")) == "0") return ok("IPv6 is on");
  return warning("IPv6 is off", "containers get IPv4 only; run 'sysctl -w net.ipv6.conf.all.disable_ipv6=0' for both");
}

Finding check_disk(const Places& places) {
  auto directory = existing(places.data_dir);
  struct statvfs info {};
  if (::statvfs(directory.c_str(), &info) < 0) return failure("cannot read " + directory.string(), "check --data-dir");
  auto free = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  auto found = fmt::format("{} free in {}", human_bytes(free), directory.string());
  constexpr std::uint64_t kLeast = 64u << 20, kComfortable = 2ull << 30;
  if (free < kLeast) return failure(found, "free some space, or choose another disk with --data-dir");
  if (free < kComfortable) return warning(found, "images need room: free some space, or choose another --data-dir");
  return ok(found);
}

Finding check_data_file_system(const Places& places) {
  auto directory = existing(places.data_dir);
  long type = file_system_type(directory);
  if (type == OVERLAYFS_SUPER_MAGIC || type == NFS_SUPER_MAGIC)
    return failure(fmt::format("{} is on {}", directory.string(), type == NFS_SUPER_MAGIC ? "NFS" : "overlayfs"),
                   "layers need a local file system (ext4, xfs, btrfs): choose one with --data-dir");
  return ok("local");
}

Finding check_privileges(const Places&) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  ::syscall(SYS_capget, &header, data.data());
  bool resource = (data[0].effective & (1u << CAP_SYS_RESOURCE)) != 0;
  if (resource) return ok("all needed capabilities");
  return warning("CAP_SYS_RESOURCE is missing",
                 "'ulimits' above gantryd's own hard limits have no effect; grant the capability to change that");
}

struct Check {
  const char* name;
  Finding (*run)(const Places&);
};

constexpr std::array kChecks{
    Check{"privileges", check_root},
    Check{"kernel", check_kernel},
    Check{"user namespaces", check_user_namespaces},
    Check{"overlayfs", check_overlay},
    Check{"layer images", check_layer_images},
    Check{"id-mapped mounts", check_id_mapped_mounts},
    Check{"seccomp", check_seccomp},
    Check{"cgroups", check_cgroups},
    Check{"crun", check_crun},
    Check{"catatonit", check_init},
    Check{"mmdebstrap", check_mmdebstrap},
    Check{"nftables", check_nftables},
    Check{"links", check_bridge},
    Check{"forwarding", check_forwarding},
    Check{"IPv6", check_ipv6},
    Check{"data directory", check_data_file_system},
    Check{"disk", check_disk},
    Check{"limits", check_privileges},
};

}  // namespace

CgroupMode cgroup_mode() {
  long root = file_system_type(kCgroupRoot);
  if (root == CGROUP2_SUPER_MAGIC) return CgroupMode::pure_v2;
  if (root != TMPFS_MAGIC) return CgroupMode::none;
  return file_system_type(fs::path(kCgroupRoot) / "unified") == CGROUP2_SUPER_MAGIC ? CgroupMode::hybrid
                                                                                    : CgroupMode::v1;
}

std::vector<Finding> check_host(const Places& places) {
  std::vector<Finding> findings;
  for (const auto& check : kChecks) {
    Finding finding;
    try {
      finding = check.run(places);
    } catch (const Error& error) {
      finding = failure(error.message(), error.fix().empty() ? "see the message" : error.fix());
    }
    finding.check = check.name;
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace gantry::host
