#include "instance.h"

#include <fcntl.h>
#include <link.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/ids.h"

namespace gantry::daemon {
namespace fs = std::filesystem;
namespace {

constexpr int kLockAttempts = 50;
constexpr std::chrono::milliseconds kLockPause{20};

}  // namespace

// Segments that nobody can write to are what the file says, always. What is read-only only after relocation is part of
// a writable segment, and not touched here.
void forget_start_pages() {
  auto forget = [](dl_phdr_info* object, std::size_t, void*) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    for (int i = 0; i < object->dlpi_phnum; ++i) {
      const auto& segment = object->dlpi_phdr[i];
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
      auto begin = (object->dlpi_addr + segment.p_vaddr) / page * page;
      auto end = object->dlpi_addr + segment.p_vaddr + segment.p_filesz;
      (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }
    return 0;
  };
  ::dl_iterate_phdr(forget, nullptr);
}

Fd claim(const fs::path& directory, unsigned mode) {
  make_directories(directory, mode);
  Fd lock = open_file((directory / "lock").string(), O_RDWR | O_CREAT, 0600);
  // A daemon that was killed while it started a process may be survived for a moment by that process before it
  // executes anything, and the lock with it.
  for (int left = kLockAttempts; left > 0; --left) {
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno != EWOULDBLOCK) break;
    std::this_thread::sleep_for(kLockPause);
  }
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
