#include <sys/mount.h>

#include "fixture.h"

// What docker run can say and the engine carries to the runtime.
namespace gantry::engine {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Options : public EngineTest {
 protected:
  ErrorKind refused(const ContainerSpec& spec) {
    return refusal([&]() -> task<> { co_await engine().create(spec); }).kind();
  }
};

TEST_F(Options, ADeviceShowsAsIsolationThatIsOff) {
  auto spec = shell("test -c /dev/net/tun && (: < /dev/net/tun) && echo there; cat /proc/self/uid_map");
  spec.devices = {{.source = "/dev/net/tun", .access = "rw"}};
  auto id = start(spec);
  EXPECT_EQ(wait(id), 0);
  EXPECT_TRUE(logs(id).starts_with("there\n")) << logs(id);
  EXPECT_THAT(logs(id), Not(HasSubstr("4294967295"))) << "the user namespace stays private";
  EXPECT_THAT(info(id).isolation_off, ElementsAre("device=/dev/net/tun"));
  spec.devices[0].access = "rx";
  EXPECT_EQ(refused(spec), ErrorKind::invalid);
}

TEST_F(Options, FurtherGroupsByNameAndNumber) {
  auto spec = shell("id -G");
  spec.user = "app";
  spec.group_add = {"4242", "root"};
  EXPECT_EQ(output(spec), "1000 0 2000 4242\n");
  spec.group_add = {"nobodys"};
  auto id = create(spec);
  auto error = refusal([&]() -> task<> { co_await engine().start(id); });
  EXPECT_THAT(error.message(), HasSubstr("nobodys"));
}

TEST_F(Options, SecurityOptions) {
  auto spec = shell("mkdir /tmp/a 2>/dev/null || echo refused");
  spec.security.seccomp_profile =
      R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]})";
  EXPECT_EQ(output(spec), "refused\n");
  spec.security.seccomp_profile = "no JSON";
  EXPECT_EQ(refused(spec), ErrorKind::invalid);
  spec.security.seccomp_profile.clear();
  spec.security.apparmor = "unconfined";
  spec.security.selinux = {"type:web_t", "disable"};
  EXPECT_EQ(output(spec), "");
  if (!std::filesystem::exists("/sys/module/apparmor/parameters/enabled")) {
    spec.security.apparmor = "mine";
    EXPECT_EQ(refused(spec), ErrorKind::unsupported);
  }
}

TEST_F(Options, VolumesOfAnother) {
  auto first = shell("echo data > /shared/file; sleep 1000");
  first.name = "first";
  first.mounts = {{.type = MountType::volume, .target = "/shared"},
                  {.type = MountType::bind, .source = directory_.path().string(), .target = "/host"}};
  start(first);
  auto spec = shell(
      "until test -s /shared/file; do sleep 0.1; done; cat /shared/file; test -d /host && echo bound; "
      "(: > /shared/file) 2>/dev/null || echo read-only");
  spec.volumes_from = {{.container = "first", .read_only = true}};
  EXPECT_EQ(output(spec), "data\nbound\nread-only\n");
  spec.volumes_from = {{.container = "nobody"}};
  EXPECT_EQ(refused(spec), ErrorKind::not_found);
}

TEST_F(Options, ADirectoryOfAVolume) {
  auto name = "v" + instance_;
  auto spec = shell("mkdir -p /v/part; echo part > /v/part/file");
  spec.mounts = {{.type = MountType::volume, .source = name, .target = "/v", .volume_labels = {{"of", "test"}}}};
  EXPECT_EQ(output(spec), "");
  EXPECT_EQ(engine().volumes().inspect(name).labels.at("of"), "test");
  spec = shell("cat /p/file");
  spec.mounts = {{.type = MountType::volume, .source = name, .target = "/p", .subpath = "part"}};
  EXPECT_EQ(output(spec), "part\n");
  spec.mounts[0].subpath = "../x";
  EXPECT_EQ(refused(spec), ErrorKind::invalid);
  remove_all();
  engine().volumes().remove(name);
}

TEST_F(Options, PropagationNeedsAMountThatPropagates) {
  auto place = directory_.path() / "place";
  make_directories(place);
  ASSERT_EQ(::mount("place", place.c_str(), "tmpfs", 0, ""), 0);
  ASSERT_EQ(::mount(nullptr, place.c_str(), nullptr, MS_PRIVATE, nullptr), 0);
  auto spec = shell("true");
  spec.mounts = {{.type = MountType::bind, .source = place.string(), .target = "/p"}};
  spec.mounts[0].propagation = Propagation::rshared;
  EXPECT_EQ(refused(spec), ErrorKind::invalid);
  ASSERT_EQ(::mount(nullptr, place.c_str(), nullptr, MS_SHARED, nullptr), 0);
  auto id = start(spec);
  EXPECT_EQ(wait(id), 0);
  EXPECT_THAT(info(id).isolation_off, Contains("userns=host"));
  EXPECT_EQ(::umount2(place.c_str(), MNT_DETACH), 0);
}

TEST_F(Options, NamesForLookingUpOthers) {
  auto first = shell("sleep 1000");
  first.name = "database";
  auto id = start(first);
  auto spec = shell("cat /etc/resolv.conf; grep -E 'db|box' /etc/hosts; cat /proc/sys/kernel/domainname");
  spec.hostname = "box";
  spec.domain_name = "example.org";
  spec.dns_search = {"corp.example", "example"};
  spec.dns_options = {"ndots:2"};
  spec.links = {{.container = "database", .alias = "db"}};
  auto text = output(spec);
  EXPECT_THAT(text, HasSubstr("search corp.example example\noptions ndots:2\n"));
  EXPECT_THAT(text, HasSubstr("nameserver " + info(id).addresses.at(0).gateway + "\n"));
  EXPECT_THAT(text, HasSubstr(info(id).addresses.at(0).ipv4 + "\tdb " + id.str().substr(0, 12) + " database\n"));
  EXPECT_THAT(text, HasSubstr("\tbox.example.org box\n"));
  EXPECT_TRUE(text.ends_with("example.org\n")) << text;
  run([&]() -> task<> { co_await engine().stop(id, Duration::zero()); });
  auto late = create(spec);
  EXPECT_EQ(refusal([&]() -> task<> { co_await engine().start(late); }).kind(), ErrorKind::conflict);
}

TEST_F(Options, EveryExposedPortIsPublished) {
  auto spec = shell("sleep 1000");
  spec.exposed_ports = {"80", "53/udp"};
  spec.ports = {{.container_port = 80}};
  spec.publish_all = true;
  auto ports = info(start(spec)).ports;
  ASSERT_EQ(ports.size(), 2u);
  EXPECT_EQ(ports[1].container_port, 53);
  EXPECT_EQ(ports[1].protocol, Protocol::udp);
  EXPECT_NE(ports[1].host_port, 0);
  spec.exposed_ports = {"eighty"};
  EXPECT_EQ(refused(spec), ErrorKind::invalid);
}

TEST_F(Options, LimitsOutOfRangeAreRefused) {
  auto wrong = [&](auto change) {
    auto spec = shell("true");
    change(spec.resources);
    return refused(spec) == ErrorKind::invalid;
  };
  EXPECT_TRUE(wrong([](auto& r) { r.cpu_period = 10; }));
  EXPECT_TRUE(wrong([](auto& r) { r.cpu_quota = 10; }));
  EXPECT_TRUE(wrong([](auto& r) { r.memory_swappiness = 101; }));
  EXPECT_TRUE(wrong([](auto& r) { r.oom_score_adj = 1001; }));
  EXPECT_TRUE(wrong([](auto& r) { r.block_io = BlockIo{.weight = 5}; }));
  EXPECT_TRUE(wrong([](auto& r) {
    r.cpus = 1;
    r.cpu_quota = 50000;
  }));
  auto spec = shell("true");
  spec.resources.block_io = BlockIo{.read_bps = {{.path = "/dev/null", .value = 1}}};
  auto id = create(spec);
  EXPECT_EQ(refusal([&]() -> task<> { co_await engine().start(id); }).kind(), ErrorKind::invalid);
}

}  // namespace
}  // namespace gantry::engine
