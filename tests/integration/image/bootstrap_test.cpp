#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/image/image_store.h"

namespace gantry::image {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class BootstrapTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directory(scratch_); }

  ErrorKind failure(const std::string& name, const std::vector<std::string>& packages = {}) {
    try {
      bootstrap(images_, name, packages, scratch_, {});
    } catch (const Error& error) {
      EXPECT_FALSE(error.fix().empty()) << error.message();
      return error.kind();
    }
    ADD_FAILURE() << name << " was made";
    return ErrorKind::internal;
  }

  TemporaryDirectory dir_{fs::temp_directory_path(), "gantry-bootstrap-"};
  fs::path scratch_ = dir_.path() / "scratch";
  store::Database database_{dir_.path() / "db", {schema()}};
  content::ContentStore content_{dir_.path() / "content"};
  ImageStore images_{database_, content_, dir_.path() / "layers"};
};

TEST_F(BootstrapTest, MakesADebianImageOfKnownOrigin) {
  std::vector<std::string> seen;
  auto info = bootstrap(images_, "debian:bookworm", {}, scratch_,
                        [&](const Progress& progress) { seen.push_back(progress.status); });
  EXPECT_EQ(images_.resolve("debian:bookworm").id, info.id);
  EXPECT_THAT(seen, ::testing::Contains(HasSubstr("installing essential packages")));
  EXPECT_EQ(info.config.config.Cmd, std::vector<std::string>{"bash"});
  EXPECT_THAT(info.config.config.Labels.at(kOriginLabel), HasSubstr("suite bookworm, verified by apt"));
  auto packages = content_.read(oci::Digest::parse(info.config.config.Labels.at(kPackagesLabel)));
  EXPECT_THAT(packages, HasSubstr("\nbash="));
  EXPECT_THAT(packages, HasSubstr("apt="));

  auto root = images_.layer_path(info.layers.at(0));
  EXPECT_TRUE(fs::exists(root / "usr/bin/bash"));
  EXPECT_EQ(fs::status(root / "usr/sbin/policy-rc.d").permissions(), fs::perms(0755));
  EXPECT_THAT(read_file(root / "etc/apt/apt.conf.d/80gantry-image"), Not(HasSubstr("Invoke")));
  EXPECT_EQ(read_file(root / "etc/hostname"), "");
  EXPECT_EQ(read_file(root / "etc/resolv.conf"), "");
  EXPECT_TRUE(fs::is_empty(root / "var/cache/apt/archives/partial"));
  EXPECT_FALSE(fs::exists(root / "var/log/dpkg.log"));
  EXPECT_TRUE(fs::is_empty(scratch_));

  images_.collect_garbage({});
  EXPECT_TRUE(content_.has(oci::Digest::parse(info.config.config.Labels.at(kPackagesLabel))));
  images_.remove("debian:bookworm", false, {});
  EXPECT_TRUE(content_.list().empty());
}

TEST_F(BootstrapTest, RefusesWhatItCannotMake) {
  EXPECT_EQ(failure("ubuntu:jammy"), ErrorKind::unsupported);
  EXPECT_EQ(failure("debian:bookworm-slim"), ErrorKind::unsupported);
  EXPECT_EQ(failure("debian"), ErrorKind::invalid);
  EXPECT_EQ(failure("debian:nosuchsuite"), ErrorKind::not_found);
  EXPECT_TRUE(fs::is_empty(scratch_));
}

TEST_F(BootstrapTest, AnUnknownPackageLeavesNothing) {
  EXPECT_EQ(failure("debian:bookworm", {"no-such-package-anywhere"}), ErrorKind::not_found);
  EXPECT_TRUE(fs::is_empty(scratch_));
  EXPECT_TRUE(fs::is_empty(dir_.path() / "layers/ingest"));
  EXPECT_TRUE(images_.list().empty());
}

TEST_F(BootstrapTest, ACallerThatGoesAwayStopsIt) {
  auto leave = [](const Progress& progress) {
    if (progress.status.find("downloading") != std::string::npos) throw Error(ErrorKind::cancelled, "gone");
  };
  try {
    bootstrap(images_, "debian:bookworm", {}, scratch_, leave);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::cancelled);
  }
  EXPECT_TRUE(fs::is_empty(scratch_));
}

}  // namespace
}  // namespace gantry::image
