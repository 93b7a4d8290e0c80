#include <gtest/gtest.h>

#include "gantry/base/error.h"
#include "gantry/registry/credentials.h"
#include "gantry/registry/source.h"

namespace gantry::registry {
namespace {

TEST(DockerConfig, SignInsAreFoundByWhatPeopleCallTheRegistry) {
  auto logins = parse_docker_config(R"({"auths": {
      "https://index.docker.io/v1/": {"auth": "YW5uOnNlY3JldA=="},
      "quay.io": {"username": "bob", "password": "p:w"},
      "https://registry.example:5000": {"auth": "Ym90Og==", "identitytoken": "token"},
      "kept.by.a.helper": {}}, "credsStore": "desktop", "HttpHeaders": {"User-Agent": "x"}})");
  EXPECT_EQ(logins.size(), 3u);
  EXPECT_EQ(login_at(logins, "docker.io")->username, "ann");
  EXPECT_EQ(login_at(logins, "docker.io")->password, "secret");
  EXPECT_EQ(login_at(logins, "quay.io")->password, "p:w");
  EXPECT_EQ(login_at(logins, "registry.example:5000")->identity_token, "token");
  EXPECT_FALSE(login_at(logins, "kept.by.a.helper"));
}

TEST(DockerConfig, NothingIsNobody) {
  EXPECT_TRUE(parse_docker_config("{}").empty());
  EXPECT_TRUE(parse_docker_config(R"({"auths": {}})").empty());
}

TEST(DockerConfig, AMistakeIsToldWithoutQuotingIt) {
  for (const auto* text : {"", "secret", R"({"auths": "secret"})", R"({"auths": {"x": {"auth": "c2VjcmV0"}}})"}) {
    try {
      parse_docker_config(text);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.message().find("secret"), std::string::npos) << error.message();
      EXPECT_EQ(error.message().find("c2VjcmV0"), std::string::npos) << error.message();
    }
  }
}

TEST(Address, AllNamesOfTheHubAreOne) {
  for (const auto* address : {"docker.io", "https://registry-1.docker.io", "https://index.docker.io/v1/"})
    EXPECT_EQ(host_of_address(address), "docker.io");
  EXPECT_EQ(host_of_address("http://127.0.0.1:5000/mirror"), "127.0.0.1:5000");
  EXPECT_EQ(host_of_address("quay.io"), "quay.io");
}

}  // namespace
}  // namespace gantry::registry
