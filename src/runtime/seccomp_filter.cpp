#include "seccomp_filter.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <memory>

#include "filter_ranges.h"
#include "gantry/base/error.h"
#include "gantry/base/fd.h"
#include "gantry/base/files.h"
#include "gantry/base/json.h"
#include "gantry/base/text.h"
#include "gantry/oci/digest.h"
#include "seccomp_profile.h"

namespace gantry::runtime {
namespace {

namespace spec = oci::runtime;

struct Release {
  void operator()(void* context) const { ::seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;

void check(int code, const std::string& what) {
  if (code < 0) throw system_error(-code, "seccomp profile: " + what);
}

std::uint32_t action_of(const std::string& name, const std::optional<std::uint32_t>& error) {
  if (name == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
  if (name == "SCMP_ACT_ERRNO") return SCMP_ACT_ERRNO(error.value_or(EPERM));
  if (name == "SCMP_ACT_KILL" || name == "SCMP_ACT_KILL_THREAD") return SCMP_ACT_KILL_THREAD;
  if (name == "SCMP_ACT_KILL_PROCESS") return SCMP_ACT_KILL_PROCESS;
  if (name == "SCMP_ACT_TRAP") return SCMP_ACT_TRAP;
  if (name == "SCMP_ACT_LOG") return SCMP_ACT_LOG;
  if (name == "SCMP_ACT_TRACE") return SCMP_ACT_TRACE(error.value_or(EPERM));
  throw Error(ErrorKind::unsupported, "seccomp profile: action " + name + " is not supported");
}

scmp_compare operator_of(const std::string& name) {
  static const std::map<std::string, scmp_compare> known = {{"SCMP_CMP_NE", SCMP_CMP_NE},
                                                            {"SCMP_CMP_LT", SCMP_CMP_LT},
                                                            {"SCMP_CMP_LE", SCMP_CMP_LE},
                                                            {"SCMP_CMP_EQ", SCMP_CMP_EQ},
                                                            {"SCMP_CMP_GE", SCMP_CMP_GE},
                                                            {"SCMP_CMP_GT", SCMP_CMP_GT},
                                                            {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};
  auto found = known.find(name);
  if (found == known.end()) throw Error(ErrorKind::invalid, "seccomp profile: no such comparison: " + name);
  return found->second;
}

std::vector<scmp_arg_cmp> comparisons(const spec::SeccompRule& rule) {
  std::vector<scmp_arg_cmp> out;
  for (const auto& arg : rule.args)
    out.push_back(
        {.arg = arg.index, .op = operator_of(arg.op), .datum_a = arg.value, .datum_b = arg.valueTwo.value_or(0)});
  return out;
}

void add_architectures(void* context, const spec::Seccomp& profile) {
  for (auto name : profile.architectures) {
    // "SCMP_ARCH_X86_64" is "x86_64" to the library
    auto own = lower(name.substr(name.starts_with("SCMP_ARCH_") ? 10 : 0));
    auto token = ::seccomp_arch_resolve_name(own.c_str());
    if (token == 0) throw Error(ErrorKind::invalid, "seccomp profile: no such architecture: " + name);
    int code = ::seccomp_arch_add(context, token);
    if (code != -EEXIST) check(code, "architecture " + name);
  }
}

void add_rule(void* context, const spec::SeccompRule& rule, std::uint32_t default_action) {
  auto action = action_of(rule.action, rule.errnoRet);
  if (action == default_action) return;
  auto arguments = comparisons(rule);
  for (const auto& name : rule.names) {
    int call = ::seccomp_syscall_resolve_name(name.c_str());
    if (call == __NR_SCMP_ERROR) continue;
    check(::seccomp_rule_add_array(context, action, call, static_cast<unsigned>(arguments.size()), arguments.data()),
          "rule for " + name);
  }
}

std::string exported(void* context) {
  Fd memory(static_cast<int>(::memfd_create("seccomp", MFD_CLOEXEC)));
  if (!memory) throw_errno("make a file in memory");
  check(::seccomp_export_bpf(context, memory.get()), "compile");
  struct stat info {};
  if (::fstat(memory.get(), &info) < 0) throw_errno("inspect a file in memory");
  std::string out(static_cast<std::size_t>(info.st_size), '\0');
  if (::pread(memory.get(), out.data(), out.size(), 0) != info.st_size) throw_errno("read a file in memory");
  return out;
}

}  // namespace

std::string compile_with_library(const spec::Seccomp& profile) {
  auto default_action = action_of(profile.defaultAction, profile.defaultErrnoRet);
  Context context(::seccomp_init(default_action));
  if (!context) throw Error(ErrorKind::internal, "seccomp profile: the library refuses the default action");
  // A tree of comparisons instead of a list of hundreds.
  check(::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
  add_architectures(context.get(), profile);
  for (const auto& rule : profile.syscalls) add_rule(context.get(), rule, default_action);
  return exported(context.get());
}

std::string compile_filter(const spec::Seccomp& profile) { return with_ranges(compile_with_library(profile)); }

std::filesystem::path FilterStore::file_of(const spec::Seccomp& profile) const {
  auto text = json::to_text(profile);
  auto file = directory_ / oci::Digest::of(text).hex();
  if (std::filesystem::exists(file)) return file;
  make_directories(directory_, 0700);
  write_file_durably(file, compile_filter(profile));
  return file;
}

std::filesystem::path FilterStore::default_for(const std::vector<std::string>& capabilities) {
  std::lock_guard lock(mutex_);
  auto& file = defaults_[capabilities];
  if (file.empty()) file = file_of(default_seccomp(capabilities));
  return file;
}

}  // namespace gantry::runtime
