#include "mirror_fixture.h"
#include "proxy_names.h"

namespace gantry::distribution {
namespace {

const std::vector<Proxy> kProxies{{"docker.io", "docker.io", "", nullptr},
                                  {"docker.io/team", "team.example", "", nullptr},
                                  {"quay.io", "quay.io", "", nullptr},
                                  {kEverything, "docker.io", "", nullptr}};

std::string found(const std::string& repository, const std::string& registry = "",
                  const std::vector<Proxy>& proxies = kProxies) {
  auto place = place_of(proxies, repository, registry);
  return place ? place->repository + " <- " + place->remote + " of " + proxies[place->proxy].name : "ours";
}

TEST(Place, TheNameInFrontSaysWhichRegistry) {
  EXPECT_EQ(found("quay.io/a/b"), "quay.io/a/b <- a/b of quay.io");
  EXPECT_EQ(found("docker.io/team/x"), "docker.io/team/x <- x of docker.io/team");
  EXPECT_EQ(found("docker.io/teamwork/x"), "docker.io/teamwork/x <- teamwork/x of docker.io");
}

TEST(Place, OfficialImagesOfTheHubAreInItsLibrary) {
  EXPECT_EQ(found("docker.io/busybox"), "docker.io/library/busybox <- library/busybox of docker.io");
  EXPECT_EQ(found("busybox"), "library/busybox <- library/busybox of *");
  EXPECT_EQ(found("quay.io/busybox"), "quay.io/busybox <- busybox of quay.io");
}

TEST(Place, AClientMayNameTheRegistryItMeans) {
  EXPECT_EQ(found("a/b", "quay.io"), "quay.io/a/b <- a/b of quay.io");
  EXPECT_EQ(found("library/busybox", "docker.io"), "docker.io/library/busybox <- library/busybox of docker.io");
}

TEST(Place, EverythingIsOneRegistryAndNoOther) {
  std::vector<Proxy> only{{kEverything, "docker.io", "", nullptr}};
  EXPECT_EQ(found("a/b", "", only), "a/b <- a/b of *");
  EXPECT_EQ(found("a/b", "docker.io", only), "a/b <- a/b of *");
  EXPECT_EQ(found("a/b", "quay.io", only), "ours");
}

TEST(Place, WithoutAProxyAllIsOurs) {
  EXPECT_EQ(found("quay.io", "", {{"quay.io", "quay.io", "", nullptr}}), "ours");
  EXPECT_EQ(found("a/b", "", {}), "ours");
}

}  // namespace
}  // namespace gantry::distribution
