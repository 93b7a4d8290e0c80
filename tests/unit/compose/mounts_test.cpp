#include "compose_fixture.h"

namespace gantry::compose {
namespace {

const std::string kVolumes = "volumes: {data: }\n";

Mount mount(const std::string& item) {
  return web_service("    volumes:\n      - " + item + "\n", kVolumes).mounts.at(0);
}
std::string mount_error(const std::string& item) {
  auto text = errors_of(web("    volumes:\n      - " + item + "\n") + kVolumes);
  return text.starts_with("compose.yaml:5:9 services.web.volumes[0]: ") ? text.substr(42) : text;
}

TEST(Mounts, ShortForms) {
  EXPECT_EQ(mount("/var/lib/x"), (Mount{.target = "/var/lib/x"}));
  EXPECT_EQ(mount("data:/var/lib/x/"), (Mount{.source = "data", .target = "/var/lib/x"}));
  EXPECT_EQ(mount("data:/x:ro"), (Mount{.source = "data", .target = "/x", .read_only = true}));
  EXPECT_EQ(mount("data:/x:nocopy,ro"), (Mount{.source = "data", .target = "/x", .read_only = true, .no_copy = true}));
  Mount bind{.type = MountType::bind, .source = "/work/shop/html", .target = "/x", .create_host_path = true};
  EXPECT_EQ(mount("./html:/x"), bind);
  EXPECT_EQ(mount("./html/:/x:rw"), bind);
  EXPECT_EQ(mount("/work/shop/html:/x:cached"), bind);
  EXPECT_EQ(mount("../shop/html:/x"), bind);
  bind.propagation = Propagation::rslave;
  bind.read_only = true;
  EXPECT_EQ(mount("./html:/x:ro,rslave"), bind);
}

TEST(Mounts, TheHomeDirectoryIsTheClients) {
  auto options = one_file(web("    volumes: ['~/data:/x', '~:/y']\n"));
  options.env = {{"HOME", "/home/me"}};
  auto mounts = load(options).stack.services.at("web").mounts;
  EXPECT_EQ(mounts[0].source, "/home/me/data");
  EXPECT_EQ(mounts[1].source, "/home/me");
  EXPECT_EQ(errors_of(web("    volumes: ['~/data:/x']\n")),
            "compose.yaml:4:15 services.web.volumes[0]: '~' cannot be resolved: HOME is not set");
}

TEST(Mounts, LongForms) {
  EXPECT_EQ(mount("{type: volume, source: data, target: /x, read_only: true, volume: {nocopy: true, subpath: a/b}}"),
            (Mount{.source = "data", .target = "/x", .read_only = true, .no_copy = true, .subpath = "a/b"}));
  EXPECT_EQ(
      mount("{type: bind, source: ./h, target: /x, bind: {propagation: rshared, create_host_path: false}}"),
      (Mount{.type = MountType::bind, .source = "/work/shop/h", .target = "/x", .propagation = Propagation::rshared}));
  EXPECT_TRUE(mount("{type: bind, source: ./h, target: /x}").create_host_path);
  EXPECT_EQ(mount("{type: tmpfs, target: /x, tmpfs: {size: 64m, mode: 0o1777}}"),
            (Mount{.type = MountType::tmpfs, .target = "/x", .tmpfs_size = 64u << 20, .tmpfs_mode = 01777}));
}

TEST(Mounts, TmpfsKey) {
  auto mounts = web_service("    tmpfs: ['/run', '/tmp:size=1m,mode=700,uid=5,noexec,ro']\n").mounts;
  EXPECT_EQ(mounts[0], (Mount{.type = MountType::tmpfs, .target = "/run"}));
  EXPECT_EQ(mounts[1], (Mount{.type = MountType::tmpfs,
                              .target = "/tmp",
                              .read_only = true,
                              .tmpfs_size = 1u << 20,
                              .tmpfs_mode = 0700,
                              .tmpfs_options = {{"uid", "5"}, {"noexec", ""}}}));
  EXPECT_EQ(web_service("    tmpfs: /run\n").mounts.at(0).target, "/run");
}

TEST(Mounts, Mistakes) {
  EXPECT_EQ(mount_error("dta:/x"),
            "the volume 'dta' is not declared under the top-level 'volumes'; did you mean 'data'?");
  EXPECT_EQ(mount_error("data:relative"), "the target 'relative' is not an absolute path");
  EXPECT_EQ(mount_error("data:/x:rx"), "unknown mount option 'rx'");
  EXPECT_EQ(mount_error("'a:b:c:d'"), "'a:b:c:d' is not a mount: expected [SOURCE:]TARGET[:OPTIONS]");
  EXPECT_EQ(mount_error("'data:'"), "'data:' is not a mount: expected [SOURCE:]TARGET[:OPTIONS]");
  EXPECT_EQ(mount_error("data:/"), "nothing can be mounted over the root directory");
  auto long_error = [](const std::string& item) {
    auto text = errors_of(web("    volumes: [{" + item + "}]\n") + kVolumes);
    return text.substr(text.find(": ") + 2);
  };
  EXPECT_EQ(long_error("type: bind, target: /x"), "a bind mount needs the key 'source'");
  EXPECT_EQ(long_error("source: data, target: /x"), "the key 'type' is missing: bind, volume or tmpfs");
  EXPECT_EQ(long_error("type: volum, target: /x"), "unknown type 'volum': expected bind, volume or tmpfs");
  EXPECT_EQ(long_error("type: npipe, target: /x"), "Gantry does not support mounts of type 'npipe' yet");
  EXPECT_EQ(long_error("type: volume"), "the key 'target' is missing");
  EXPECT_EQ(long_error("type: tmpfs, target: /x, source: y"), "a tmpfs mount has no 'source'");
  EXPECT_EQ(long_error("type: volume, target: /x, tmpfs: {size: 1m}"),
            "the key 'tmpfs' does not fit a mount of type 'volume'");
  EXPECT_EQ(long_error("type: volume, source: data, target: /x, volume: {subpath: ../..}"),
            "the subpath '../..' leaves the volume");
}

TEST(Mounts, ATargetIsUsedOnce) {
  EXPECT_EQ(errors_of(web("    volumes:\n      - /x\n      - ./a:/x/\n")),
            "compose.yaml:6:9 services.web.volumes[1]: something is already mounted at /x");
  EXPECT_EQ(errors_of(web("    volumes: [/x]\n    tmpfs:\n      - /x:size=1m\n")),
            "compose.yaml:6:9 services.web.tmpfs[0]: something is already mounted at /x");
}

}  // namespace
}  // namespace gantry::compose
