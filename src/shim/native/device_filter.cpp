#include "native/device_filter.h"

#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plan.h"
#include "sys.h"

namespace gantry::shim::native {
namespace {

// Registers: 2 type, 3 access asked for, 4 major, 5 minor; 1 is the context.
class Program {
 public:
  void add(std::uint8_t code, std::uint8_t to, std::uint8_t from, std::int16_t offset, std::int32_t value) {
    if (size_ >= kMost) fail({.kind = "invalid", .what = "too many device rules"});
    bpf_insn& instruction = code_[size_++];
    instruction.code = code;
    instruction.dst_reg = static_cast<std::uint8_t>(to & 15u);
    instruction.src_reg = static_cast<std::uint8_t>(from & 15u);
    instruction.off = offset;
    instruction.imm = value;
  }
  void load_context() {
    constexpr std::uint8_t kLoad = BPF_LDX | BPF_MEM | BPF_W;
    add(kLoad, 2, 1, offsetof(bpf_cgroup_dev_ctx, access_type), 0);
    add(BPF_ALU64 | BPF_MOV | BPF_X, 3, 2, 0, 0);
    add(BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
    add(BPF_ALU64 | BPF_RSH | BPF_K, 3, 0, 0, 16);
    add(kLoad, 4, 1, offsetof(bpf_cgroup_dev_ctx, major), 0);
    add(kLoad, 5, 1, offsetof(bpf_cgroup_dev_ctx, minor), 0);
  }
  // Jumps over the rest of the rule are set when its length is known.
  void skip_unless_equal(std::uint8_t which, std::int32_t value) {
    skips_[skip_count_++] = size_;
    add(BPF_JMP | BPF_JNE | BPF_K, which, 0, 0, value);
  }
  /// True when it decides whatever is asked: nothing may come behind it, the kernel refuses what is never reached.
  bool rule(const DeviceRule& rule) {
    skip_count_ = 0;
    if (rule.type != 'a') skip_unless_equal(2, rule.type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK);
    std::int32_t access = access_bits(rule.access);
    if (access != kAll) {
      // An allowed rule must cover all that is asked for; a denied one is met by any part of it.
      add(BPF_ALU64 | BPF_MOV | BPF_X, 6, 3, 0, 0);
      add(BPF_ALU64 | BPF_AND | BPF_K, 6, 0, 0, rule.allow ? kAll & ~access : access);
      skips_[skip_count_++] = size_;
      add(rule.allow ? BPF_JMP | BPF_JNE | BPF_K : BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 0, 0);
    }
    if (rule.major >= 0) skip_unless_equal(4, static_cast<std::int32_t>(rule.major));
    if (rule.minor >= 0) skip_unless_equal(5, static_cast<std::int32_t>(rule.minor));
    answer(rule.allow);
    for (unsigned i = 0; i < skip_count_; ++i) code_[skips_[i]].off = static_cast<std::int16_t>(size_ - skips_[i] - 1);
    return skip_count_ == 0;
  }
  void answer(bool allow) {
    add(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, allow ? 1 : 0);
    add(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  }
  int load() const {
    bpf_attr attributes{};
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insns = reinterpret_cast<std::uint64_t>(code_);
    attributes.insn_cnt = size_;
    attributes.license = reinterpret_cast<std::uint64_t>("Apache-2.0");
    return static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes));
  }

 private:
  static constexpr unsigned kMost = 1024;
  static constexpr std::int32_t kAll = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;
  static std::int32_t access_bits(const char* access) {
    std::int32_t bits = 0;
    if (strchr(access, 'm') != nullptr) bits |= BPF_DEVCG_ACC_MKNOD;
    if (strchr(access, 'r') != nullptr) bits |= BPF_DEVCG_ACC_READ;
    if (strchr(access, 'w') != nullptr) bits |= BPF_DEVCG_ACC_WRITE;
    return bits;
  }
  bpf_insn code_[kMost];
  unsigned size_ = 0;
  unsigned skips_[4];
  unsigned skip_count_ = 0;
};

}  // namespace

void attach_device_filter(int cgroup_directory) {
  static Program program;
  program.load_context();
  bool decided = false;
  for (std::size_t i = plan.device_rules.count; i-- > 0 && !decided;)
    decided = program.rule(plan.device_rules.items[i]);
  if (!decided) program.answer(false);
  int loaded = program.load();
  if (loaded < 0) fail_errno("load", "the device filter");
  bpf_attr attributes{};
  attributes.target_fd = static_cast<std::uint32_t>(cgroup_directory);
  attributes.attach_bpf_fd = static_cast<std::uint32_t>(loaded);
  attributes.attach_type = BPF_CGROUP_DEVICE;
  attributes.attach_flags = BPF_F_ALLOW_MULTI;
  if (::syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes) < 0)
    fail_errno("attach", "the device filter");
  ::close(loaded);
}

}  // namespace gantry::shim::native
