#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "docker/build_remote.h"
#include "docker/image_words.h"
#include "gantry/base/base64.h"

namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

image::ImageInfo some_image() {
  image::ImageInfo image;
  image.id = "sha256:" + std::string(64, 'a');
  image.layers = {"one", "two", "one"};
  image.size = 30;
  image.config.config.Env = {"A=1"};
  image.config.config.Cmd = std::vector<std::string>{"sh"};
  return image;
}

TEST(DockerImages, ListsAsEachVersionHasIt) {
  auto old = list_image(some_image(), -1, -1, 40);
  EXPECT_EQ(old.at("RepoTags"), bj::value(bj::array{"<none>:<none>"}));
  EXPECT_EQ(old.at("VirtualSize"), bj::value(30u));
  EXPECT_EQ(old.at("Created"), bj::value(0));
  auto recent = list_image(some_image(), 5, 2, 51);
  EXPECT_EQ(recent.at("RepoTags"), bj::value(bj::array()));
  EXPECT_FALSE(recent.contains("VirtualSize"));
  EXPECT_EQ(recent.at("SharedSize"), bj::value(5));
  EXPECT_EQ(recent.at("Labels"), bj::value(nullptr));
}

TEST(DockerImages, InspectsAsEachVersionHasIt) {
  auto old = inspect_image(some_image(), 43);
  EXPECT_TRUE(old.contains("ContainerConfig"));
  EXPECT_EQ(old.at("Config").at("Hostname"), bj::value(""));
  EXPECT_EQ(old.at("Created"), bj::value("0001-01-01T00:00:00Z"));
  auto recent = inspect_image(some_image(), 51);
  EXPECT_FALSE(recent.contains("ContainerConfig"));
  EXPECT_FALSE(recent.contains("Created"));
  EXPECT_FALSE(recent.at("Config").as_object().contains("Hostname"));
  EXPECT_EQ(recent.at("Config").at("Cmd"), bj::value(bj::array{"sh"}));
  EXPECT_EQ(recent.at("RepoTags"), bj::value(bj::array()));
}

TEST(DockerImages, CountsWhatIsShared) {
  LayerSizes sizes({{"one", 10, 2}, {"two", 20, 1}, {"cache", 40, 0}});
  EXPECT_EQ(sizes.total(), 30u);
  EXPECT_EQ(sizes.shared(some_image()), 10u);
}

TEST(DockerImages, HistoryNamesTheImageAtItsTop) {
  auto image = some_image();
  image.references = {"a:1"};
  auto rows = image_history(image, {{.created_by = "top"}, {.created_by = "below"}});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].at("Id"), bj::value(image.id));
  EXPECT_EQ(rows[0].at("Tags"), bj::value(bj::array{"a:1"}));
  EXPECT_EQ(rows[1].at("Id"), bj::value("<missing>"));
  EXPECT_EQ(rows[1].at("Tags"), bj::value(nullptr));
}

TEST(DockerImages, ReferencePatterns) {
  EXPECT_TRUE(reference_matches("busybox", "busybox:latest"));
  EXPECT_TRUE(reference_matches("busy*:l*", "busybox:latest"));
  EXPECT_TRUE(reference_matches("*/app", "team/app:1"));
  EXPECT_TRUE(reference_matches("team/app", "team/app@sha256:00"));
  EXPECT_FALSE(reference_matches("*", "team/app:1"));
  EXPECT_FALSE(reference_matches("busybox:1", "busybox:latest"));
}

TEST(DockerBuild, KnowsWhoToBeAtARegistry) {
  auto logins = parse_logins(encode_base64url(
      R"({"https://index.docker.io/v1/":{"username":"u","password":"p"},"reg:5000":{"identitytoken":"t"},"x":{}})"));
  EXPECT_EQ(login_for(logins, "docker.io")->password, "p");
  EXPECT_EQ(login_for(logins, "reg:5000")->identity_token, "t");
  EXPECT_FALSE(login_for(logins, "x"));
  EXPECT_TRUE(parse_logins("").empty());
  for (const auto* wrong : {"!", "[]", "{\"a\":1}", "{\"a\":{\"username\":1}}"})
    EXPECT_THROW(parse_logins(wrong[0] == '!' ? wrong : encode_base64(wrong)), Error) << wrong;
}

}  // namespace
}  // namespace gantry::api::docker
