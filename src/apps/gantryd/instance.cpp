#include "instance.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/ids.h"

namespace gantry::daemon {
namespace fs = std::filesystem;

Fd claim(const fs::path& directory, unsigned mode) {
  make_directories(directory, mode);
  Fd lock = open_file((directory / "lock").string(), O_RDWR | O_CREAT, 0600);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK)
    throw Error(ErrorKind::conflict, "another gantryd uses " + directory.string(),
                "stop it, or give this one its own --data-dir and --run-dir");
  throw_errno("lock " + directory.string());
}

std::string instance_name(const fs::path& data_dir) {
  auto file = data_dir / "instance";
  if (auto known = read_file_if_exists(file, 64)) {
    while (!known->empty() && known->back() == '\n') known->pop_back();
    if (known->size() == 4 && known->find_first_not_of("0123456789abcdef") == std::string::npos) return *known;
    throw Error(ErrorKind::invalid, file.string() + ": not an instance name",
                "restore it from a backup of the directory");
  }
  auto name = random_hex(4);
  write_file_durably(file, name + "\n");
  return name;
}

void notify_ready() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  static constexpr char kReady[] = "READY=1";
  // Best effort, as the protocol says: without systemd listening nothing depends on it.
  (void)::sendto(socket.get(), kReady, sizeof kReady - 1, MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

fs::path find_own_program(const std::string& name) {
  auto here = fs::read_symlink("/proc/self/exe").parent_path();
  for (const auto& candidate : {here / name, here.parent_path() / "libexec" / "gantry" / name})
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  throw Error(
      ErrorKind::unavailable,
      name + " is neither in " + here.string() + " nor in " + (here.parent_path() / "libexec" / "gantry").string(),
      "install Gantry again");
}

}  // namespace gantry::daemon
