#include "local_mount.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "gantry/base/error.h"
#include "gantry/volume/volume_store.h"

namespace gantry::volume {
namespace {

using testing::HasSubstr;

std::string refusal(std::map<std::string, std::string> options) {
  try {
    parse_local_mount(options);
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

TEST(LocalMount, ReadsWhatMountReads) {
  EXPECT_FALSE(parse_local_mount({}));
  auto nfs =
      parse_local_mount({{"type", "nfs"}, {"device", ":/export"}, {"o", "addr=nas.example,ro,nfsvers=4,,nosuid"}});
  EXPECT_EQ(nfs->type, "nfs");
  EXPECT_EQ(nfs->device, ":/export");
  EXPECT_EQ(nfs->flags, static_cast<unsigned long>(MS_RDONLY | MS_NOSUID));
  EXPECT_EQ(nfs->data, "addr=nas.example,nfsvers=4");
  EXPECT_EQ(nfs->address, "nas.example");
  auto tmpfs = parse_local_mount({{"type", "tmpfs"}, {"device", "tmpfs"}, {"o", "size=1m,uid=1000,ro,rw"}});
  EXPECT_EQ(tmpfs->flags, 0u);
  EXPECT_EQ(tmpfs->data, "size=1m,uid=1000");
  auto bind = parse_local_mount({{"type", "none"}, {"device", "/srv/data"}, {"o", "bind"}});
  EXPECT_EQ(bind->type, "");
  EXPECT_EQ(bind->flags, static_cast<unsigned long>(MS_BIND));
}

TEST(LocalMount, RefusesWithDockersWords) {
  EXPECT_THAT(refusal({{"colour", "red"}}), HasSubstr("invalid option: \"colour\""));
  EXPECT_THAT(refusal({{"type", "nfs"}}), HasSubstr("missing required option: \"device\""));
  EXPECT_THAT(refusal({{"device", "x"}}), HasSubstr("missing required option: \"type\""));
  EXPECT_THAT(refusal({{"size", "10G"}}), HasSubstr("no quota support"));
  EXPECT_THAT(refusal({{"type", "none"}, {"o", "bind"}, {"device", "here"}}), HasSubstr("not an absolute path"));
  VolumeSpec spec;
  spec.name = "data";
  spec.driver = "flocker";
  EXPECT_THROW(require_valid(spec), Error);
}

}  // namespace
}  // namespace gantry::volume
