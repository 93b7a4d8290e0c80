#include "apt_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gantry/base/files.h"

namespace gantry::image::apt {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kKey[] = "/usr/share/keyrings/debian-archive-keyring.gpg";

Source source(const std::string& suite, std::vector<std::string> components = {"main"}, const std::string& key = "") {
  return {"http://mirror.invalid/debian", suite, std::move(components), key};
}

TEST(AptSources, OneLineFormat) {
  auto parsed = parse_list(
      "# a comment\n"
      "deb http://mirror.invalid/debian bookworm main contrib # trailing\n"
      "deb [ arch=amd64 signed-by=/k.gpg ] http://mirror.invalid/debian trixie main\n"
      "deb-src http://mirror.invalid/debian bookworm main\n"
      "deb http://mirror.invalid/flat ./\n"
      "deb\n\n");
  EXPECT_THAT(parsed, ElementsAre(source("bookworm", {"main", "contrib"}), source("trixie", {"main"}, "/k.gpg")));
}

TEST(AptSources, Deb822Format) {
  auto parsed = parse_deb822(
      "Types: deb deb-src\n# http://archive.invalid/\nURIs: http://mirror.invalid/debian\n"
      "Suites: bookworm\n bookworm-updates\nComponents: main\nSigned-By: /k.gpg\n\n"
      "Enabled: no\nTypes: deb\nURIs: http://other.invalid/\nSuites: sid\nComponents: main\n\n"
      "Types: deb-src\nURIs: http://other.invalid/\nSuites: sid\nComponents: main\n");
  EXPECT_THAT(parsed,
              ElementsAre(source("bookworm", {"main"}, "/k.gpg"), source("bookworm-updates", {"main"}, "/k.gpg")));
}

TEST(AptSources, WrittenSourcesAreReadBack) {
  std::vector<Source> sources{source("bookworm", {"main", "contrib"}, kKey), source("sid"),
                              source("x", {"main"}, "\n-----BEGIN PGP-----\n.\nabc\n-----END PGP-----")};
  EXPECT_EQ(parse_deb822(to_deb822(sources)), sources);
}

TEST(AptSources, ReadsAllFilesThatAptReads) {
  TemporaryDirectory dir(fs::temp_directory_path(), "gantry-apt-");
  EXPECT_THAT(read_sources(dir.path()), IsEmpty());
  fs::create_directory(dir.path() / "sources.list.d");
  write_file(dir.path() / "sources.list", "deb http://mirror.invalid/debian bookworm main\n");
  write_file(dir.path() / "sources.list.d/b.list", "deb http://mirror.invalid/debian b main\n");
  write_file(dir.path() / "sources.list.d/a.sources",
             "Types: deb\nURIs: http://mirror.invalid/debian\nSuites: a\nComponents: main\n");
  write_file(dir.path() / "sources.list.d/c.list.disabled", "deb http://mirror.invalid/debian c main\n");
  EXPECT_THAT(read_sources(dir.path()), ElementsAre(source("bookworm"), source("a"), source("b")));
}

TEST(AptSources, ChoosesTheSuiteItself) {
  std::vector<Source> machine{source("bookworm"),           source("bookworm-updates"), source("bookworm-security"),
                              source("bookworm-backports"), source("trixie"),           source("nodistro")};
  EXPECT_THAT(choose(machine, "bookworm"),
              ElementsAre(source("bookworm"), source("bookworm-updates"), source("bookworm-security")));
}

TEST(AptSources, OrTheSameMirrorsWithAnotherSuite) {
  std::vector<Source> machine{source("bookworm", {"main", "non-free-firmware"}, kKey), source("bookworm-security"),
                              source("bookworm-backports"), source("nodistro")};
  EXPECT_THAT(choose(machine, "trixie"), ElementsAre(source("trixie", {"main"}, kKey), source("trixie-security")));
  EXPECT_THAT(choose({source("nodistro")}, "trixie"), IsEmpty());
}

TEST(AptSources, TakesOnlyTheOptionsThatFetchingNeeds) {
  EXPECT_THAT(needed_options("APT \"\";\nAPT::Architecture \"amd64\";\nAcquire::Check-Valid-Until \"false\";\n"
                             "Acquire::http::Proxy \"http://proxy.invalid:3128/\";\nAcquire::https::Proxy \"\";\n"
                             "Acquire::Languages \"none\";\nAcquire::Check-Date \"false\";\n"),
              ElementsAre("Acquire::Check-Valid-Until \"false\";",
                          "Acquire::http::Proxy \"http://proxy.invalid:3128/\";", "Acquire::Check-Date \"false\";"));
}

TEST(AptSources, ReleaseFields) {
  auto release = parse_release(
      "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nCodename: bookworm\n"
      "Date: Sat, 11 Jul 2026 10:16:37 UTC\nMD5Sum:\n 0ed6 14 main/x\n");
  EXPECT_EQ(release["Origin"], "Debian");
  EXPECT_EQ(release["Codename"], "bookworm");
  EXPECT_EQ(release["Date"], "Sat, 11 Jul 2026 10:16:37 UTC");
}

TEST(AptSources, InstalledPackages) {
  EXPECT_EQ(installed_packages("Package: zlib\nStatus: install ok installed\nVersion: 1:2\nDescription: x\n more: y\n\n"
                               "Package: gone\nStatus: deinstall ok config-files\nVersion: 3\n\n"
                               "Package: bash\nStatus: install ok installed\nVersion: 5.2-1\n"),
            "bash=5.2-1\nzlib=1:2\n");
}

}  // namespace
}  // namespace gantry::image::apt
