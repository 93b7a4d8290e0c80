#include "credentials.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "gantry/base/base64.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"

namespace gantry::cli {
namespace {

namespace fs = std::filesystem;

class CredentialsTest : public ::testing::Test {
 protected:
  void have(const std::string& text) { write_file(dir_.path() / "config.json", text, 0644); }
  std::string text() const { return read_file(dir_.path() / "config.json"); }
  TemporaryDirectory dir_{fs::temp_directory_path(), "gantry-credentials-"};
  CredentialFile file_{{{"DOCKER_CONFIG", dir_.path().string()}, {"HOME", "/nonexistent"}}};
};

TEST_F(CredentialsTest, RegistriesOfReferences) {
  EXPECT_EQ(registry_of("debian"), "docker.io");
  EXPECT_EQ(registry_of("team/app:1"), "docker.io");
  EXPECT_EQ(registry_of("index.docker.io/x"), "docker.io");
  EXPECT_EQ(registry_of("localhost/x"), "localhost");
  EXPECT_EQ(registry_of("reg.example:5000/x@sha256:0"), "reg.example:5000");
  EXPECT_EQ(registry_of("[::1]:5000/x"), "[::1]:5000");
}

TEST_F(CredentialsTest, RegistriesOfTheFile) {
  EXPECT_TRUE(file_.registries().empty());
  have(R"({"auths":{"https://index.docker.io/v1/":{},"b.example:5000":{}},"credHelpers":{"a.example":"x"}})");
  EXPECT_EQ(file_.registries(), (std::vector<std::string>{"a.example", "b.example:5000", "docker.io"}));
}

TEST_F(CredentialsTest, KeepsWhatElseIsInTheFile) {
  EXPECT_FALSE(file_.find("a.example"));
  have(R"({"psFormat":"x","auths":{"https://old.example/v1/":{"auth":")" + encode_base64("ann:pass:word") + R"("}}})");
  auto old = file_.find("old.example");
  ASSERT_TRUE(old);
  EXPECT_EQ(old->username, "ann");
  EXPECT_EQ(old->password, "pass:word");
  file_.store("a.example", {"bob", "secret", ""});
  file_.store("docker.io", {"cyd", "", "token"});
  struct stat info {};
  ASSERT_EQ(::stat((dir_.path() / "config.json").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_NE(text().find("psFormat"), std::string::npos);
  EXPECT_NE(text().find("https://index.docker.io/v1/"), std::string::npos);
  EXPECT_EQ(text().find("secret"), std::string::npos);
  EXPECT_EQ(file_.find("a.example")->password, "secret");
  EXPECT_EQ(file_.find("docker.io")->identity_token, "token");
  EXPECT_TRUE(file_.erase("old.example"));
  EXPECT_FALSE(file_.erase("old.example"));
  EXPECT_FALSE(file_.find("old.example"));
  EXPECT_TRUE(file_.find("a.example"));
}

TEST_F(CredentialsTest, WhatIsNoConfigurationIsRefused) {
  have("[]");
  EXPECT_THROW(file_.find("x"), Error);
  have("{");
  EXPECT_THROW(file_.find("x"), Error);
  have(R"({"credsStore":"../../bin/sh"})");
  EXPECT_THROW(file_.find("x"), Error);
  have(R"({"credsStore":"not-installed-anywhere"})");
  EXPECT_THROW(file_.find("x"), Error);
}

}  // namespace
}  // namespace gantry::cli
