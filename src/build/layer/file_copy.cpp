#include "layer/file_copy.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "gantry/base/error.h"

namespace gantry::build {

namespace {

constexpr std::size_t kPiece = 1u << 20;

// False when the kernel cannot copy between these two at all.
bool copy_in_kernel(int in, int out, const std::string& shown) {
  for (bool first = true;; first = false) {
    ssize_t n = ::copy_file_range(in, nullptr, out, nullptr, 1u << 30, 0);
    if (n == 0) return true;
    if (n > 0 || errno == EINTR) continue;
    bool cannot = errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
    if (first && cannot) return false;
    throw_errno("copy \"" + shown + "\"");
  }
}

bool is_kept(std::string_view name) {
  return name.starts_with("user.") || name == "security.capability" || name == "system.posix_acl_access" ||
         name == "system.posix_acl_default";
}

}  // namespace

void copy_content(int in, int out, const std::string& shown) {
  if (::ioctl(out, FICLONE, in) == 0) return;
  if (copy_in_kernel(in, out, shown)) return;
  std::vector<char> buffer(kPiece);
  for (;;) {
    ssize_t n = ::read(in, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("read \"" + shown + "\"");
    if (n == 0) return;
    write_all(out, {buffer.data(), static_cast<std::size_t>(n)}, shown);
  }
}

void copy_xattrs(const Node& from, int parent, const std::string& name) {
  auto source = "/proc/self/fd/" + std::to_string(from.fd.get());
  ssize_t size = ::listxattr(source.c_str(), nullptr, 0);
  if (size < 0 && errno == EOPNOTSUPP) return;
  if (size < 0) throw_errno("read the attributes of \"" + name + "\"");
  std::vector<char> list(static_cast<std::size_t>(size));
  size = ::listxattr(source.c_str(), list.data(), list.size());
  if (size < 0) throw_errno("read the attributes of \"" + name + "\"");
  auto target = "/proc/self/fd/" + std::to_string(parent) + "/" + name;
  for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
    std::string key(list.data() + at);
    at += key.size() + 1;
    if (!is_kept(key)) continue;
    std::array<char, 65536> value{};
    ssize_t length = ::getxattr(source.c_str(), key.c_str(), value.data(), value.size());
    if (length < 0) throw_errno("read the attribute " + key + " of \"" + name + "\"");
    if (::lsetxattr(target.c_str(), key.c_str(), value.data(), static_cast<std::size_t>(length), 0) < 0)
      throw_errno("set the attribute " + key + " of \"" + name + "\"");
  }
}

}  // namespace gantry::build
