#include "exit_record.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "sys.h"

namespace gantry::shim {
namespace {
constexpr char kReserved[] = "exit.json.new";
int reserved = -1;
}  // namespace

void reserve_exit_record(int state_dir) {
  ::unlinkat(state_dir, "exit.json", 0);
  reserved = ::openat(state_dir, kReserved, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (reserved < 0) fail_errno("create", kReserved);
  int failed = ::posix_fallocate(reserved, 0, 256);
  if (failed != 0) fail({.kind = "exhausted", .what = "reserve room for", .object = kReserved, .error = failed});
}

void write_exit_record(int state_dir, const runtime::shim::Status& status) {
  Text<256> text;
  text.add("{\"code\":").add(static_cast<std::uint64_t>(status.code));
  text.add(",\"signaled\":").add(status.signaled ? "true" : "false");
  text.add(",\"oom_killed\":").add(status.oom_killed ? "true" : "false");
  text.add(",\"time\":").add(static_cast<std::uint64_t>(status.time)).add("}\n");
  if (reserved < 0 || !write_all(reserved, text.c_str(), text.length())) return;
  if (::ftruncate(reserved, static_cast<off_t>(text.length())) < 0) return;
  ::renameat(state_dir, kReserved, state_dir, "exit.json");
}

}  // namespace gantry::shim
