#include "filter_ranges.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <random>
#include <set>

#include "gantry/base/fd.h"
#include "gantry/runtime/runtime.h"
#include "seccomp_filter.h"
#include "seccomp_profile.h"

namespace gantry::runtime {
namespace {

using Program = std::vector<sock_filter>;

Program program_of(const std::string& text) {
  Program out(text.size() / sizeof(sock_filter));
  std::memcpy(out.data(), text.data(), text.size());
  return out;
}

/// As the kernel would run it (net/core/filter.c), for the instructions that filters of system calls have.
std::uint32_t decision(const Program& program, const seccomp_data& data) {
  std::uint32_t a = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const auto& it = program[at];
    switch (it.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&a, reinterpret_cast<const char*>(&data) + it.k, sizeof a);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= it.k;
        break;
      case BPF_JMP | BPF_JA:
        at += it.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at += a == it.k ? it.jt : it.jf;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        at += a > it.k ? it.jt : it.jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        at += a >= it.k ? it.jt : it.jf;
        break;
      case BPF_RET | BPF_K:
        return it.k;
      default:
        ADD_FAILURE() << "instruction " << std::hex << it.code;
        return 0;
    }
  }
  ADD_FAILURE() << "it ends nowhere";
  return 0;
}

/// Numbers around each that the program compares with, and every one that a call could have.
std::set<std::uint32_t> numbers_of(const Program& program) {
  std::set<std::uint32_t> out = {0, 0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xffffffff};
  for (const auto& it : program)
    for (std::uint32_t number : {it.k - 1, it.k, it.k + 1}) out.insert(number);
  for (std::uint32_t number = 0; number < 700; ++number) out.insert({number, 0x40000000 + number});
  return out;
}

/// Values around each half of an argument that the program compares with.
std::vector<std::uint64_t> arguments_of(const Program& program) {
  std::set<std::uint64_t> out = {0, 1, 0xffffffff, 0x100000000, ~std::uint64_t{0}};
  for (const auto& it : program)
    if (BPF_CLASS(it.code) != BPF_RET && it.k > 600 && it.k < 0x40000000)
      out.insert({it.k - 1, it.k, it.k + 1ull, it.k | 0x500000000ull});
  for (std::uint64_t value = 0; value < 48; ++value) out.insert(value);
  return {out.begin(), out.end()};
}

void expect_alike(const std::string& before, const std::string& after) {
  auto old = program_of(before);
  auto made = program_of(after);
  auto arguments = arguments_of(old);
  std::mt19937 random(7);
  for (std::uint32_t architecture : {std::uint32_t{AUDIT_ARCH_X86_64}, std::uint32_t{AUDIT_ARCH_I386},
                                     std::uint32_t{AUDIT_ARCH_AARCH64}, 0u, 1u, 0x7fffffffu})
    for (auto number : numbers_of(old))
      for (std::size_t round = 0; round < arguments.size(); ++round) {
        seccomp_data data{.nr = static_cast<int>(number), .arch = architecture};
        for (auto& argument : data.args) argument = arguments[random() % arguments.size()];
        data.args[0] = arguments[round];
        auto wanted = decision(old, data);
        ASSERT_EQ(decision(made, data), wanted) << std::hex << architecture << " " << number << " " << data.args[0];
        if (old.size() == made.size()) return;
      }
}

/// What libseccomp makes of a list of calls, each with an optional condition on its first argument.
class Library {
 public:
  explicit Library(std::uint32_t otherwise) : context_(::seccomp_init(otherwise)) {}
  ~Library() { ::seccomp_release(context_); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  void add(std::uint32_t action, int call) { EXPECT_EQ(::seccomp_rule_add(context_, action, call, 0), 0); }
  void add(std::uint32_t action, int call, scmp_arg_cmp argument) {
    EXPECT_EQ(::seccomp_rule_add(context_, action, call, 1, argument), 0);
  }
  void also(std::uint32_t architecture) { EXPECT_EQ(::seccomp_arch_add(context_, architecture), 0); }
  void make_tree() { EXPECT_EQ(::seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2), 0); }

  std::string exported() {
    Fd memory(static_cast<int>(::memfd_create("test", MFD_CLOEXEC)));
    EXPECT_EQ(::seccomp_export_bpf(context_, memory.get()), 0);
    std::string out(1u << 20, '\0');
    out.resize(static_cast<std::size_t>(::pread(memory.get(), out.data(), out.size(), 0)));
    return out;
  }

 private:
  scmp_filter_ctx context_;
};

/// Calls chosen at random with all kinds of conditions.
std::string random_filter(unsigned seed) {
  std::mt19937 random(seed);
  Library library(random() % 2 == 0 ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW);
  bool allows = library.exported().size() > 0 && random() % 2 == 0;
  if (random() % 2 == 0) library.make_tree();
  if (random() % 2 == 0) library.also(SCMP_ARCH_X86);
  if (random() % 2 == 0) library.also(SCMP_ARCH_X32);
  std::vector<std::uint32_t> actions = {SCMP_ACT_KILL_PROCESS, SCMP_ACT_ERRNO(ENOSYS), SCMP_ACT_LOG};
  auto action = actions[0];
  unsigned kind = 0;
  for (int call = 0; call < 330; ++call) {
    if (random() % 6 == 0) {  // neighbours are often alike
      action = allows ? actions[0] : actions[random() % actions.size()];
      kind = random() % 6;
    }
    switch (kind) {
      case 0:
      case 1:
        library.add(action, call);
        break;
      case 2:
        library.add(action, call, SCMP_A0(SCMP_CMP_MASKED_EQ, 0x7e020000, random() % 2 * 0x20000));
        break;
      case 3:
        library.add(action, call, SCMP_A0(random() % 2 == 0 ? SCMP_CMP_GE : SCMP_CMP_LT, 1000 + random() % 9));
        break;
      default:
        break;
    }
  }
  return library.exported();
}

TEST(FilterRanges, OfTheDefaultProfileDecideAlikeInFewerInstructions) {
  for (const auto& capabilities : {default_capabilities(), std::vector<std::string>{}, {"CAP_SYS_ADMIN"}}) {
    auto library = compile_with_library(default_seccomp(capabilities));
    auto made = with_ranges(library);
    EXPECT_LT(made.size(), library.size() * 3 / 10);
    EXPECT_EQ(made, compile_filter(default_seccomp(capabilities)));
    expect_alike(library, made);
  }
}

TEST(FilterRanges, OfAnyProfileDecideAlike) {
  int smaller = 0;
  for (unsigned seed = 0; seed < 14; ++seed) {
    auto library = random_filter(seed);
    auto made = with_ranges(library);
    if (made.size() < library.size()) ++smaller;
    expect_alike(library, made);
    if (HasFatalFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_GT(smaller, 10);
}

TEST(FilterRanges, WhatIsUnfamiliarStaysAsItIs) {
  auto text = [](const Program& program) {
    return std::string(reinterpret_cast<const char*>(program.data()), program.size() * sizeof(sock_filter));
  };
  constexpr std::uint32_t kNumber = offsetof(seccomp_data, nr), kArchitecture = offsetof(seccomp_data, arch);
  for (const auto& program : std::vector<Program>{
           {},
           {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber)},
           {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0), BPF_STMT(BPF_RET | BPF_K, 0)},
           {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1),
            BPF_STMT(BPF_RET | BPF_K, 0)},
           {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kArchitecture), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 5, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, 1), BPF_STMT(BPF_RET | BPF_K, 0)},
           {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 200, 0),
            BPF_STMT(BPF_RET | BPF_K, 0)}})
    EXPECT_EQ(with_ranges(text(program)), text(program));
}

}  // namespace
}  // namespace gantry::runtime
