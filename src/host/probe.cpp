#include "probe.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/socket.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

#include "gantry/base/error.h"
#include "gantry/base/fd.h"
#include "gantry/base/files.h"
#include "gantry/host/checks.h"

namespace gantry::host {
namespace {

std::string why(std::string_view what) { return std::string(what) + ": " + std::strerror(errno); }

// Mapping ids needs a user namespace; a short-lived child holds it. clone3 without CLONE_VM behaves as fork, and the
// child only makes system calls.
class UserNamespaceHolder {
 public:
  UserNamespaceHolder() {
    pid_ = static_cast<pid_t>(::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (pid_ == 0) {
      for (;;) ::syscall(SYS_pause);
    }
  }
  UserNamespaceHolder(const UserNamespaceHolder&) = delete;
  UserNamespaceHolder& operator=(const UserNamespaceHolder&) = delete;
  ~UserNamespaceHolder() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

bool listed(const std::filesystem::path& file, std::string_view needle) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);)
    if (line.find(needle) != std::string::npos) return true;
  return false;
}

}  // namespace

std::string in_throwaway_network(const std::function<std::string()>& attempt) {
  std::string result;
  std::thread([&] { result = ::unshare(CLONE_NEWNET) < 0 ? why("make a network namespace") : attempt(); }).join();
  return result;
}

std::string try_bridge_and_veth() {
  std::unique_ptr<nl_sock, void (*)(nl_sock*)> socket(nl_socket_alloc(), nl_socket_free);
  if (nl_connect(socket.get(), NETLINK_ROUTE) < 0) return "netlink is not there";
  if (int failed = rtnl_link_bridge_add(socket.get(), "gantry-probe"); failed < 0)
    return std::string("make a bridge: ") + nl_geterror(failed);
  if (int failed = rtnl_link_veth_add(socket.get(), "gantry-a", "gantry-b", ::gettid()); failed < 0)
    return std::string("make a veth pair: ") + nl_geterror(failed);
  return {};
}

std::string try_id_mapped_mount(const std::filesystem::path& directory) {
  UserNamespaceHolder holder;
  if (holder.pid() < 0) return why("make a user namespace");
  const std::string proc = "/proc/" + std::to_string(holder.pid());
  try {
    write_file(proc + "/uid_map", "0 1879048192 65536");
    write_file(proc + "/gid_map", "0 1879048192 65536");
    Fd user_namespace = open_file(proc + "/ns/user", O_RDONLY);
    Fd tree(
        static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, directory.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
    if (!tree) return why("open_tree");
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<__u64>(user_namespace.get());
    if (::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
      return why("map ids of a mount");
  } catch (const Error& error) {
    return error.message();
  }
  return {};
}

bool kernel_has(std::string_view name) {
  if (listed("/proc/filesystems", std::string("\t") + std::string(name))) return true;
  if (std::filesystem::exists("/sys/module/" + std::string(name))) return true;
  utsname names{};
  ::uname(&names);
  std::filesystem::path modules = std::string("/lib/modules/") + names.release;
  std::string file = "/" + std::string(name) + ".ko";
  return listed(modules / "modules.builtin", file) || listed(modules / "modules.dep", file);
}

std::filesystem::path find_program(std::string_view program) {
  const char* configured = std::getenv("PATH");
  std::string path = configured != nullptr ? configured : "";
  path += ":/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";
  std::size_t start = 0;
  while (start <= path.size()) {
    auto end = std::min(path.find(':', start), path.size());
    std::filesystem::path candidate = std::filesystem::path(path.substr(start, end - start)) / program;
    if (end > start && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    start = end + 1;
  }
  return {};
}

}  // namespace gantry::host
