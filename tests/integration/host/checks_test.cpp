#include "gantry/host/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <fstream>
#include <iterator>

#include "gantry/base/error.h"

namespace {
using gantry::Error;
using gantry::ErrorKind;
using namespace gantry::host;

std::string slurp(const char* path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

const Finding& named(const std::vector<Finding>& findings, std::string_view check) {
  for (const auto& finding : findings)
    if (finding.check == check) return finding;
  throw Error(ErrorKind::not_found, std::string(check));
}

TEST(Host, ThisMachineCanRunGantry) {
  for (const auto& finding : check_host({"/var/lib/gantry", "/run/gantry"})) {
    EXPECT_NE(finding.verdict, Verdict::failure) << finding.check << ": " << finding.found;
    EXPECT_FALSE(finding.found.empty()) << finding.check;
    EXPECT_EQ(finding.verdict == Verdict::ok, finding.fix.empty()) << finding.check;
  }
}

TEST(Host, ChecksLeaveNothingBehind) {
  // Where other tests, which run at the same time, mount nothing.
  ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  auto mounts = slurp("/proc/self/mountinfo");
  check_host({"/var/lib/gantry", "/run/gantry"});
  EXPECT_EQ(slurp("/proc/self/mountinfo"), mounts);
  EXPECT_THAT(slurp("/proc/net/dev"), testing::Not(testing::HasSubstr("gantry-")));
}

TEST(Host, ADataDirectoryWithoutIdMappedMountsIsRefusedWithTheFix) {
  auto findings = check_host({"/proc", "/run/gantry"});
  const auto& finding = named(findings, "id-mapped mounts");
  EXPECT_EQ(finding.verdict, Verdict::failure);
  EXPECT_THAT(finding.fix, testing::HasSubstr("--data-dir"));
}

}  // namespace
