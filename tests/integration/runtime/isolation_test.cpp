#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

namespace gantry::runtime {
namespace {

class Isolation : public RuntimeTest {};

TEST_F(Isolation, RootInsideIsNobodyOutside) {
  auto plan = shell("id -u; cat /proc/self/uid_map; touch /made; stat -c '%u:%g' /made /bin/busybox");
  run([&]() -> task<> {
    auto made = co_await runtime_->create(plan);
    EXPECT_NE(read_file("/proc/" + std::to_string(made.pid) + "/status").find("Uid:\t1000000\t"), std::string::npos);
    co_await runtime_->start(plan.id);
    co_await runtime_->wait(plan.id);
    co_await runtime_->remove(plan.id);
  });
  auto text = log_of(plan);
  EXPECT_TRUE(text.starts_with("0\n")) << text;
  EXPECT_NE(text.find("1000000      65536"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("0:0\n0:0\n")) << text;
  struct stat info {};
  ASSERT_EQ(::stat((plan.upper / "made").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 0u);
  EXPECT_EQ(info.st_gid, 0u);
}

TEST_F(Isolation, HostUserNamespaceWhenAsked) {
  auto plan = shell("cat /proc/self/uid_map");
  plan.user_namespace.reset();
  EXPECT_NE(output_of(plan).find("4294967295"), std::string::npos);
}

TEST_F(Isolation, VolumeOwnershipIsNatural) {
  auto volume = directory_.path() / "volume";
  make_directories(volume);
  ASSERT_EQ(::chown(volume.c_str(), 70, 70), 0);
  auto plan = shell("stat -c '%u:%g' /v; id -u; touch /v/file");
  plan.uid = plan.gid = 70;
  plan.mounts = {{.source = volume.string(), .target = "/v"}};
  EXPECT_EQ(output_of(plan), "70:70\n70\n");
  struct stat info {};
  ASSERT_EQ(::stat((volume / "file").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 70u);
}

TEST_F(Isolation, BindsAndTmpfs) {
  auto file = directory_.path() / "resolv";
  write_file(file, "nameserver 10.0.0.1\n", 0644);
  auto plan = shell(
      "cat /etc/resolv.conf; (echo x > /etc/resolv.conf) 2>/dev/null || echo refused; grep ' /scratch ' /proc/mounts");
  plan.mounts = {{.source = file.string(), .target = "/etc/resolv.conf", .read_only = true},
                 {.kind = PlannedMount::Kind::tmpfs, .target = "/scratch", .size = 1u << 20, .mode = 0700}};
  auto text = output_of(plan);
  EXPECT_TRUE(text.starts_with("nameserver 10.0.0.1\nrefused\ntmpfs /scratch tmpfs")) << text;
  EXPECT_NE(text.find("size=1024k,mode=700"), std::string::npos) << text;
}

TEST_F(Isolation, LinkAsSourceIsRefused) {
  auto link = directory_.path() / "link";
  std::filesystem::create_symlink("/etc", link);
  auto plan = shell("true");
  plan.mounts = {{.source = link.string(), .target = "/m"}};
  run([&]() -> task<> {
    try {
      co_await runtime_->create(plan);
      ADD_FAILURE() << "created";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid) << error.message();
    }
  });
}

TEST_F(Isolation, ReadOnlyRoot) {
  auto plan = shell("touch /x 2>/dev/null || echo refused");
  plan.read_only_root = true;
  EXPECT_EQ(output_of(plan), "refused\n");
}

TEST_F(Isolation, CapabilitiesSeccompAndPrivileges) {
  auto plan = shell("grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status");
  auto text = output_of(plan);
  EXPECT_NE(text.find("CapEff:\t00000000a80425fb"), std::string::npos) << text;
  EXPECT_NE(text.find("CapBnd:\t00000000a80425fb"), std::string::npos) << text;
  EXPECT_NE(text.find("NoNewPrivs:\t1"), std::string::npos) << text;
  EXPECT_NE(text.find("Seccomp:\t2"), std::string::npos) << text;
}

TEST_F(Isolation, SystemCallsAreRefused) {
  auto plan = shell("mount -t tmpfs none /tmp 2>/dev/null || echo mount; unshare -U true 2>/dev/null || echo unshare");
  plan.capabilities = all_capabilities();
  std::erase(plan.capabilities, "CAP_SYS_ADMIN");
  EXPECT_EQ(output_of(plan), "mount\nunshare\n");
}

TEST_F(Isolation, MaskedAndReadOnlyPaths) {
  auto plan = shell(
      "cat /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls /sys/firmware | wc -l; (echo 1 > "
      "/proc/sys/kernel/domainname) 2>/dev/null || echo ro;"
      "(echo x > /sys/kernel/x) 2>/dev/null || echo sysro; ls /dev | sort 2>/dev/null; test -c /dev/null && echo null");
  auto text = output_of(plan);
  EXPECT_TRUE(text.starts_with("0\n0\nro\nsysro\n")) << text;
  EXPECT_TRUE(text.ends_with("null\n")) << text;
}

TEST_F(Isolation, OwnNamespacesAndLowPorts) {
  auto plan = shell(
      "hostname; ps | wc -l; ip link | grep -c ': '; cat /proc/sys/net/ipv4/ip_unprivileged_port_start;"
      "(nc -l -p 80 >/dev/null 2>&1 & p=$!; sleep 0.3; kill $p && echo bound)");
  plan.uid = 1000;
  plan.gid = 1000;
  auto text = output_of(plan);
  EXPECT_TRUE(text.starts_with("box\n")) << text;
  EXPECT_NE(text.find("\n0\nbound\n"), std::string::npos) << text;
}

TEST_F(Isolation, HostRootIsReachedByNoPath) {
  // The run directory is root's alone; the container still walks to its root.
  struct stat info {};
  ASSERT_EQ(::stat(run_dir_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0700u);
  auto plan = shell("ls /mnt 2>/dev/null | wc -l; cat /proc/self/mountinfo | wc -l; ls /proc/1/root/ | wc -l");
  auto text = output_of(plan);
  EXPECT_TRUE(text.starts_with("0\n")) << text;
  EXPECT_EQ(text.find(directory_.path().string()), std::string::npos);
}

TEST_F(Isolation, Privileged) {
  auto plan =
      shell("grep CapEff /proc/self/status; mount -t tmpfs none /tmp && echo mounted; cat /proc/self/cgroup | head -1");
  plan.privileged = true;
  plan.user_namespace.reset();
  plan.no_new_privileges = false;
  plan.capabilities = all_capabilities();
  auto text = output_of(plan);
  EXPECT_NE(text.find("mounted\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace gantry::runtime
