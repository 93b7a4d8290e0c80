#include <sys/stat.h>
#include <sys/xattr.h>

#include <filesystem>
#include <fstream>

#include "fixture.h"
#include "gantry/base/error.h"

namespace gantry::build {
namespace {

namespace fs = std::filesystem;

using CopyTest = BuildTest;

struct Row {
  const char* step;
  std::map<std::string, std::string> expected;  ///< path -> content; "-" means it is not there
};

TEST_F(CopyTest, DestinationsTable) {
  const Files files = {{"f", "F"},      {"g", "G"},    {"d/x", "X"},  {"d/sub/y", "Y"}, {"e/x", "E"},
                       {"sp ace", "S"}, {"ln->f", ""}, {"ld->d", ""}, {"[b]", "B"},     {"d/in->x", ""}};
  const Row table[] = {
      {"COPY f /new", {{"/new", "F"}}},
      {"COPY f /newdir/", {{"/newdir/f", "F"}}},
      {"COPY f /data", {{"/data/f", "F"}, {"/data/one", "1"}}},
      {"COPY f /data/one", {{"/data/one", "F"}, {"/data/two", "2"}}},
      {"COPY f rel", {{"/w/rel", "F"}}},
      {"COPY f .", {{"/w/f", "F"}}},
      {"COPY f ./", {{"/w/f", "F"}}},
      {"COPY f ..", {{"/f", "F"}}},
      {"COPY f a/b/../c/", {{"/w/a/c/f", "F"}}},
      {"COPY d /t", {{"/t/x", "X"}, {"/t/sub/y", "Y"}, {"/t/d", "-"}}},
      {"COPY d/ /data", {{"/data/x", "X"}, {"/data/one", "1"}}},
      {"COPY d e /t/", {{"/t/x", "E"}, {"/t/sub/y", "Y"}}},
      {"COPY f g /t/", {{"/t/f", "F"}, {"/t/g", "G"}}},
      {"COPY [\"sp ace\", \"/t/\"]", {{"/t/sp ace", "S"}}},
      {"COPY ? /t/", {{"/t/f", "F"}, {"/t/g", "G"}, {"/t/x", "E"}}},
      {"COPY [f-g] /t/", {{"/t/f", "F"}, {"/t/g", "G"}}},
      {"COPY d/* /t/", {{"/t/x", "X"}, {"/t/y", "Y"}}},
      {"COPY **/y /t/", {{"/t/y", "Y"}}},
      {"COPY none* f /t/", {{"/t/f", "F"}}},
      {"COPY [[]b] /t/", {{"/t/[b]", "B"}}},
      {"COPY ln /t/", {{"/t/ln", "F"}}},
      {"COPY ld /t/", {{"/t/x", "X"}}},
      {"COPY /f ../../g /t/", {{"/t/f", "F"}, {"/t/g", "G"}}},
      {"COPY . /t", {{"/t/f", "F"}, {"/t/d/x", "X"}, {"/t/Dockerfile", "-"}}},
      {"COPY f /var/run/", {{"/run/f", "F"}}},
      {"COPY f /var/run/deep/er", {{"/run/deep/er", "F"}}},
      {"COPY f /config/passwd", {{"/etc/passwd", "F"}}},
      {"COPY f /nothing/../q", {{"/q", "F"}}},
      {"COPY f /var/run/../q", {{"/var/q", "F"}}},
      {"COPY ld/../g /q", {{"/q", "G"}}},
      {"ADD f /t/", {{"/t/f", "F"}}},
  };
  for (const auto& row : table) {
    auto all = files;
    all[".dockerignore"] = "Dockerfile";
    std::string file = std::string("FROM base\nWORKDIR /w\n") + row.step + "\n";
    image::ImageInfo image;
    try {
      image = build(file, all);
    } catch (const Error& error) {
      ADD_FAILURE() << row.step << ": " << error.message()
                    << (error.findings().empty() ? "" : " / " + error.findings()[0].message);
      continue;
    }
    for (const auto& [path, content] : row.expected) {
      EXPECT_EQ(exists(image, path), content != "-") << row.step << " " << path;
      EXPECT_EQ(read(image, path), content == "-" ? "" : content) << row.step << " " << path;
    }
  }
}

TEST_F(CopyTest, LinksInsideDirectoriesStayLinks) {
  auto image = build("FROM base\nCOPY d /t/\n", {{"d/x", "X"}, {"d/in->x", ""}, {"d/out->/etc/shadow", ""}});
  EXPECT_TRUE(S_ISLNK(status(image, "/t/in").st_mode));
  EXPECT_TRUE(S_ISLNK(status(image, "/t/out").st_mode));
}

TEST_F(CopyTest, OwnersAndModes) {
  auto dir = context({{"Dockerfile",
                       "FROM base\nCOPY f /p\nCOPY --chown=app f /a\nCOPY --chown=app:other f /b\nCOPY --chown=7 f /c\n"
                       "COPY --chown=1:2 --chmod=0711 d /new/dir\nFROM base\nCOPY --from=0 /a /b /opt/kept /k/\n"},
                      {"f", "F"},
                      {"d/x", "X"}});
  ::chmod((dir / "f").c_str(), 04750);
  if (::chown((dir / "f").c_str(), 99, 99) != 0) FAIL();
  ::chmod((dir / "f").c_str(), 04750);
  auto image = build_in(dir, {.target = "0"});
  auto owner = [&](const char* path) { return std::pair(status(image, path).st_uid, status(image, path).st_gid); };
  EXPECT_EQ(owner("/p"), std::pair(0u, 0u));
  EXPECT_EQ(status(image, "/p").st_mode & 07777, 04750u);
  EXPECT_EQ(owner("/a"), std::pair(1000u, 1001u));
  EXPECT_EQ(owner("/b"), std::pair(1000u, 2002u));
  EXPECT_EQ(owner("/c"), std::pair(7u, 7u));
  EXPECT_EQ(owner("/new/dir/x"), std::pair(1u, 2u));
  EXPECT_EQ(owner("/new"), std::pair(1u, 2u));
  EXPECT_EQ(status(image, "/new/dir/x").st_mode & 07777, 0711u);
  image = build_in(dir);
  EXPECT_EQ(owner("/k/a"), std::pair(1000u, 1001u));
  auto error = failure("FROM base\nCOPY --chown=ghost f /f\n", {{"f", ""}});
  EXPECT_NE(error.message().find("\"ghost\""), std::string::npos);
}

TEST_F(CopyTest, ParentsFromBelowKeepTheirAttributes) {
  auto image = build("FROM base\nCOPY f /opt/kept/in/\nCOPY f /tmp/\nCOPY f /\n", {{"f", "F"}});
  auto kept = status(image, "/opt/kept");
  EXPECT_EQ(kept.st_mode & 07777, 0711u);
  EXPECT_EQ(kept.st_uid, 5u);
  EXPECT_EQ(kept.st_gid, 6u);
  EXPECT_EQ(status(image, "/tmp").st_mode & 07777, 01777u);
  EXPECT_EQ(status(image, "/opt/kept/in").st_mode & 07777, 0755u);
  EXPECT_EQ(status(image, "/").st_mode & 07777, status(images_->resolve("base"), "/").st_mode & 07777);
}

TEST_F(CopyTest, FileAndDirectoryDoNotReplaceEachOther) {
  for (const char* step : {"COPY d /etc/passwd", "COPY f /etc/passwd/", "COPY f /etc/passwd/x", "COPY e /"}) {
    auto error = failure(std::string("FROM base\n") + step + "\n", {{"d/x", ""}, {"f", ""}, {"e/data", ""}});
    EXPECT_NE(error.message().find("step 2/2"), std::string::npos) << step;
    EXPECT_EQ(left_in_scratch(), 0u);
  }
}

TEST_F(CopyTest, AddUnpacksLocalArchives) {
  auto dir = context({{"Dockerfile", "FROM base\nADD a.tar.gz b.txt.gz /u/\nCOPY a.tar.gz /c/\n"},
                      {"tree/in/x", "X"},
                      {"b.txt", "plain"}});
  auto run = [&](std::vector<std::string> argv) {
    Command command;
    command.argv = std::move(argv);
    command.directory = dir;
    ASSERT_EQ(run_captured(command).status.code, 0);
  };
  run({"tar", "--owner=12", "--group=13", "-czf", "a.tar.gz", "-C", "tree", "in"});
  run({"gzip", "-k", "b.txt"});
  auto image = build_in(dir);
  EXPECT_EQ(read(image, "/u/in/x"), "X");
  EXPECT_EQ(status(image, "/u/in/x").st_uid, 12u);
  EXPECT_TRUE(exists(image, "/u/b.txt.gz"));
  EXPECT_TRUE(exists(image, "/c/a.tar.gz"));
}

TEST_F(CopyTest, HardLinksStayLinked) {
  auto image = build("FROM base AS a\nRUN mkdir /h && echo x > /h/a && ln /h/a /h/b\nFROM base\nCOPY --from=a /h /h\n");
  EXPECT_EQ(status(image, "/h/a").st_ino, status(image, "/h/b").st_ino);
}

TEST_F(CopyTest, FromImageByReference) {
  build("FROM scratch\nCOPY f /only\n", {{"f", "F"}}, {.tags = {"donor:1"}});
  auto image = build("FROM base\nCOPY --from=donor:1 /only /got\n");
  EXPECT_EQ(read(image, "/got"), "F");
}

TEST_F(CopyTest, HostileLinksLeadNowhereOutside) {
  TemporaryDirectory outside("/var/tmp", "gantry-build-outside-");
  std::ofstream(outside.path() / "victim") << "untouched";
  auto target = outside.path().string();
  // In the context: links out of it.
  auto error = failure("FROM base\nCOPY l/victim /x\n", {{"l->" + target, ""}});
  EXPECT_NE(error.findings().at(0).message.find("not in the build context"), std::string::npos);
  error = failure("FROM base\nCOPY l /x\n", {{"l->" + target + "/victim", ""}});
  EXPECT_EQ(error.findings().size(), 1u);
  error = failure("FROM base\nCOPY l /x\n", {{"l->../../../../../../.." + target + "/victim", ""}});
  EXPECT_EQ(error.findings().size(), 1u);
  // In the image: the destination's parents are links out of it.
  auto image = build("FROM base\nRUN ln -s " + target + " /abs && ln -s ../../../../../.." + target +
                         " /rel && ln -s /abs /chain\nCOPY f /abs/victim\nCOPY f /rel/\nCOPY f /chain/new/f\n",
                     {{"f", "F"}});
  EXPECT_EQ(read_file(outside.path() / "victim"), "untouched");
  EXPECT_EQ(std::distance(fs::directory_iterator(outside.path()), fs::directory_iterator()), 1);
  EXPECT_EQ(read(image, target + "/victim"), "F");
  EXPECT_EQ(read(image, target + "/f"), "F");
  EXPECT_EQ(read(image, target + "/new/f"), "F");
  error = failure("FROM base\nRUN ln -s b /a && ln -s a /b\nCOPY f /a/x\n", {{"f", ""}});
  EXPECT_NE(error.message().find("too many links"), std::string::npos);
  // The Dockerfile and the ignore file as links out.
  auto dir = context({{"Dockerfile->" + target + "/victim", ""}});
  EXPECT_THROW(build_in(dir), Error);
  auto built = build("FROM base\nCOPY f /f\n", {{".dockerignore->" + target + "/victim", ""}, {"f", ""}});
  EXPECT_TRUE(exists(built, "/f"));
}

}  // namespace
}  // namespace gantry::build
