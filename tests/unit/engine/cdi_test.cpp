#include "cdi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gantry/base/error.h"
#include "gantry/base/files.h"

namespace gantry::engine {
namespace {

using testing::ElementsAre;

class Cdi : public testing::Test {
 protected:
  Cdi() : directory_("/tmp", "gantry-cdi-") {
    for (const char* name : {"low", "high"}) make_directories(directory_.path() / name);
    write_file(directory_.path() / "low/acme.json", R"({"cdiVersion": "0.6.0", "kind": "acme.com/gpu",
      "containerEdits": {"env": ["ACME=all"], "mounts": [{"hostPath": "/usr/lib", "containerPath": "/acme",
        "options": ["ro", "nosuid"]}]},
      "devices": [{"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/gpu0", "hostPath": "/dev/null",
        "permissions": "r"}], "additionalGids": [44]}},
        {"name": "1", "containerEdits": {"env": ["SECOND=yes"], "hooks": [{"hookName": "createContainer",
        "path": "/bin/true", "args": ["true", "x"], "timeout": 3}]}}]})",
               0644);
  }

  runtime::Plan planned(const std::vector<std::string>& names) {
    runtime::Plan plan;
    add_cdi_devices(names, {directory_.path() / "low", directory_.path() / "missing", directory_.path() / "high"},
                    &plan);
    return plan;
  }

  ErrorKind refusal(const std::string& name) {
    try {
      planned({name});
      return ErrorKind::internal;
    } catch (const Error& error) {
      EXPECT_FALSE(error.fix().empty());
      return error.kind();
    }
  }

  TemporaryDirectory directory_;
};

TEST_F(Cdi, ADeviceBringsWhatItsFileSays) {
  auto plan = planned({"acme.com/gpu=0", "acme.com/gpu=1"});
  EXPECT_THAT(plan.environment, ElementsAre("ACME=all", "SECOND=yes"));
  ASSERT_EQ(plan.mounts.size(), 1u) << "what is for all of them is there once";
  EXPECT_EQ(plan.mounts[0].target, "/acme");
  EXPECT_TRUE(plan.mounts[0].read_only);
  ASSERT_EQ(plan.devices.size(), 1u);
  EXPECT_EQ(plan.devices[0].source, "/dev/null");
  EXPECT_EQ(plan.devices[0].target, "/dev/gpu0");
  EXPECT_EQ(plan.devices[0].access, "r");
  EXPECT_THAT(plan.groups, ElementsAre(44));
  ASSERT_EQ(plan.hooks.size(), 1u);
  EXPECT_EQ(plan.hooks[0].stage, "createContainer");
  EXPECT_EQ(plan.hooks[0].timeout, 3);
}

TEST_F(Cdi, ALaterDirectoryWins) {
  write_file(directory_.path() / "high/acme.json",
             R"({"kind": "acme.com/gpu", "devices": [{"name": "0", "containerEdits": {"env": ["HIGH=1"]}}]})", 0644);
  EXPECT_THAT(planned({"acme.com/gpu=0"}).environment, ElementsAre("HIGH=1"));
}

TEST_F(Cdi, WhatCannotBeIsRefused) {
  EXPECT_EQ(refusal("acme.com/gpu=9"), ErrorKind::not_found);
  EXPECT_EQ(refusal("other.com/gpu=0"), ErrorKind::not_found);
  write_file(directory_.path() / "low/again.json",
             R"({"kind": "acme.com/gpu", "devices": [{"name": "0", "containerEdits": {}}]})", 0644);
  EXPECT_EQ(refusal("acme.com/gpu=0"), ErrorKind::conflict);
  EXPECT_THROW(require_cdi_name("acme.com/gpu"), Error);
  EXPECT_THROW(require_cdi_name("gpu=0"), Error);
  EXPECT_NO_THROW(require_cdi_name("acme.com/gpu=0"));
}

TEST_F(Cdi, AMalformedFileIsNamed) {
  write_file(directory_.path() / "high/broken.json", "{", 0644);
  try {
    planned({"acme.com/gpu=0"});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), testing::HasSubstr("broken.json"));
  }
}

}  // namespace
}  // namespace gantry::engine
