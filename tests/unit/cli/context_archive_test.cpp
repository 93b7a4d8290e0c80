#include "context_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "build.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"

namespace gantry::cli {
namespace {

using testing::ElementsAre;

std::string pack(const std::filesystem::path& root, std::string_view rules = "") {
  ContextArchive archive(root, ignore::IgnoreFile::parse(rules));
  std::string all;
  for (auto piece = archive.next(); !piece.empty(); piece = archive.next()) all += piece;
  EXPECT_EQ(archive.bytes(), all.size());
  return all;
}

/// "path mode owner -> link: content"
std::vector<std::string> listing(const std::string& tar) {
  std::vector<std::string> out;
  auto* reader = archive_read_new();
  archive_read_support_format_tar(reader);
  archive_read_open_memory(reader, tar.data(), tar.size());
  archive_entry* entry = nullptr;
  while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
    std::string line = archive_entry_pathname(entry);
    if (const char* link = archive_entry_symlink(entry)) line += " -> " + std::string(link);
    if (archive_entry_filetype(entry) == AE_IFREG) {
      std::string content(static_cast<std::size_t>(archive_entry_size(entry)), '\0');
      EXPECT_EQ(archive_read_data(reader, content.data(), content.size()), static_cast<la_ssize_t>(content.size()));
      line += ": " + (content.size() > 20 ? std::to_string(content.size()) : content);
    }
    EXPECT_EQ(archive_entry_uid(entry), 0);
    out.push_back(line);
  }
  archive_read_free(reader);
  return out;
}

class ContextArchiveTest : public testing::Test {
 protected:
  TemporaryDirectory directory{testing::TempDir(), "context-"};
  std::filesystem::path root = directory.path();
  void SetUp() override {
    make_directories(root / "src");
    write_file(root / "src/main.c", "int main;");
    write_file(root / "Dockerfile", "FROM x");
    write_file(root / "secret", "s");
    std::filesystem::create_symlink("../secret", root / "src/link");
  }
};

TEST_F(ContextArchiveTest, OrderLinksAndIgnoreRules) {
  EXPECT_THAT(listing(pack(root, "secret\n")),
              ElementsAre("Dockerfile: FROM x", "src/", "src/link -> ../secret", "src/main.c: int main;"));
}

TEST_F(ContextArchiveTest, EqualDirectoriesGiveEqualBytes) { EXPECT_EQ(pack(root), pack(root)); }

TEST_F(ContextArchiveTest, LargeFilesComeInPieces) {
  write_file(root / "large", std::string(3u << 20, 'x'));
  ContextArchive archive(root, ignore::IgnoreFile::parse(""));
  std::size_t largest = 0;
  std::string all;
  for (auto piece = archive.next(); !piece.empty(); piece = archive.next()) {
    largest = std::max(largest, piece.size());
    all += piece;
  }
  EXPECT_LT(largest, 1u << 20);
  EXPECT_THAT(listing(all), testing::Contains("large: 3145728"));
}

TEST_F(ContextArchiveTest, LongNamesAndEmptyFilesSurvive) {
  auto name = std::string(150, 'n') + "-ä";
  write_file(root / "src" / name, "");
  EXPECT_THAT(listing(pack(root)), testing::Contains("src/" + name + ": "));
}

TEST_F(ContextArchiveTest, AFileThatCannotBeReadIsNamed) {
  ContextArchive archive(root, ignore::IgnoreFile::parse(""));
  std::filesystem::remove(root / "secret");
  try {
    while (!archive.next().empty()) continue;
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), testing::HasSubstr("secret"));
  }
}

TEST_F(ContextArchiveTest, DockerfileInsideOutsideAndExcluded) {
  BuildOptions inside;
  locate_dockerfile(inside, root, root / "Dockerfile");
  EXPECT_EQ(inside.dockerfile, "Dockerfile");
  EXPECT_FALSE(inside.dockerfile_text);

  BuildOptions outside;
  locate_dockerfile(outside, root / "src", root / "Dockerfile");
  EXPECT_EQ(outside.dockerfile_text, "FROM x");

  write_file(root / ".dockerignore", "Dockerfile\n");
  BuildOptions excluded;
  locate_dockerfile(excluded, root, root / "Dockerfile");
  EXPECT_EQ(excluded.dockerfile_text, "FROM x");

  BuildOptions missing;
  EXPECT_THROW(locate_dockerfile(missing, root, root / "Dockerfil"), Error);
}

}  // namespace
}  // namespace gantry::cli
