#include "dockerfile/git_source.h"
#include "fixture.h"
#include "gantry/base/error.h"
#include "gantry/base/process.h"
#include "git_checkout.h"

namespace gantry::build {
namespace {

/// A repository behind a `git daemon` on a port of its own.
class GitTest : public BuildTest {
 protected:
  void SetUp() override {
    open();
    make_directories(root_ / "www");
    git({"init", "-q", (root_ / "tree").string()});
    write_file(root_ / "tree/top", "one");
    make_directories(root_ / "tree/sub");
    write_file(root_ / "tree/sub/file", "in sub");
    commit("one");
    git({"tag", "v1"});
    write_file(root_ / "tree/top", "two");
    commit("two");
    git({"clone", "-q", "--bare", (root_ / "tree").string(), (root_ / "www/r.git").string()}, "/");
    for (int port = 20000 + ::getpid() % 20000; !serve(port); ++port) {
    }
  }

  void TearDown() override {
    daemon_->signal(SIGTERM);
    daemon_->wait();
    BuildTest::TearDown();
  }

  std::string git(std::vector<std::string> words, std::string directory = {}) {
    Command command;
    command.argv = {"git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.directory = directory.empty() && words[0] != "init" ? (root_ / "tree").string() : directory;
    command.environment = {"PATH=/usr/bin:/bin", "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1"};
    auto got = run_captured(command);
    EXPECT_EQ(got.status.code, 0) << words[0] << ": " << got.err;
    while (got.out.ends_with('\n')) got.out.pop_back();
    return got.out;
  }

  void commit(const std::string& message) {
    git({"add", "."});
    git({"commit", "-q", "-m", message});
  }

  // False: the port is taken.
  bool serve(int port) {
    Command command;
    command.argv = {"/usr/lib/git-core/git-daemon", "--export-all", "--base-path=" + (root_ / "www").string(),
                    "--listen=127.0.0.1", "--port=" + std::to_string(port)};
    daemon_.emplace(spawn(command));
    url_ = "git://127.0.0.1:" + std::to_string(port) + "/r.git";
    for (int tries = 0; tries < 100; ++tries) {
      Command ask;
      ask.argv = {"git", "ls-remote", url_};
      if (run_captured(ask).status.code == 0) return true;
      ::usleep(50000);
    }
    daemon_->signal(SIGTERM);
    daemon_->wait();
    return false;
  }

  std::optional<Child> daemon_;
  std::string url_;
};

TEST_F(GitTest, BranchTagCommitAndDirectory) {
  auto image = build("FROM base\nADD " + url_ + " /head\nADD " + url_ + "#v1 /tag\nADD " + url_ +
                     "#main:sub /sub/\nADD " + url_ + "#" + git({"rev-parse", "v1"}) + " /commit\n");
  EXPECT_EQ(read(image, "/head/top"), "two");
  EXPECT_EQ(read(image, "/tag/top"), "one");
  EXPECT_EQ(read(image, "/sub/file"), "in sub");
  EXPECT_EQ(read(image, "/commit/top"), "one");
  EXPECT_FALSE(exists(image, "/head/.git"));
  EXPECT_EQ(left_in_scratch(), 0u);
}

TEST_F(GitTest, ItsCommitDecidesAboutTheCache) {
  auto file = "FROM base\nADD " + url_ + " /r\n";
  auto first = build(file);
  auto second = build(file);
  EXPECT_EQ(cached_steps().size(), 1u);
  write_file(root_ / "tree/top", "three");
  commit("three");
  git({"push", "-q", (root_ / "www/r.git").string(), "HEAD:main"});
  EXPECT_EQ(read(build(file), "/r/top"), "three");
  EXPECT_TRUE(cached_steps().empty());
  auto error = failure("FROM base\nADD --checksum=" + git({"rev-parse", "v1"}) + " " + url_ + " /r\n");
  EXPECT_NE(error.message().find("not "), std::string::npos);
}

TEST_F(GitTest, KeepGitDirAndMissingReferences) {
  auto image = build("FROM base\nADD --keep-git-dir " + url_ + "#v1 /r\n");
  EXPECT_TRUE(exists(image, "/r/.git/HEAD"));
  auto error = failure("FROM base\nADD " + url_ + "#nowhere /r\n");
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  EXPECT_NE(error.message().find("has no \"nowhere\""), std::string::npos) << error.message();
  error = failure("FROM base\nADD " + url_ + "#main:nowhere /r\n");
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  error = failure("FROM base\nADD http://127.0.0.1:1/x.git /r\n");
  EXPECT_EQ(error.kind(), ErrorKind::unavailable) << error.message();
}

TEST_F(GitTest, AContextCanBeARepository) {
  write_file(root_ / "tree/sub/Dockerfile", "FROM base\nCOPY file /f\n");
  commit("with a Dockerfile");
  git({"push", "-q", (root_ / "www/r.git").string(), "HEAD:main"});
  auto loop = std::make_unique<asio::io_context>();
  std::optional<Builder::Context> fetched;
  auto work = [&]() -> task<> { fetched = co_await builder_->fetch_context(url_ + "#main:sub"); };
  asio::co_spawn(*loop, work, asio::detached);
  loop->run();
  loops_.push_back(std::move(loop));
  ASSERT_TRUE(fetched);
  EXPECT_EQ(fetched->source->revision, git({"rev-parse", "HEAD"}));
  Options options;
  options.source = fetched->source;
  auto image = build_in(fetched->root, options);
  EXPECT_EQ(read(image, "/f"), "in sub");
  auto record = builder_->provenance(image.id);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->source->path, "sub");
  EXPECT_EQ(record->bases.at(0).reference, "base");
  EXPECT_EQ(record->dockerfile_digest, oci::Digest::of("FROM base\nCOPY file /f\n").str());
  remove_tree(fetched->directory);
}

}  // namespace
}  // namespace gantry::build
