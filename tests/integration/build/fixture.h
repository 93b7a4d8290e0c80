#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/base/files.h"
#include "gantry/base/process.h"
#include "gantry/build/builder.h"
#include "gantry/content/content_store.h"
#include "layer/tree_view.h"

namespace gantry::build {

/// Runs steps the short way: an overlay in a mount namespace of a child process, and chroot. A real kernel, no runtime.
class ChrootExecutor : public Executor {
 public:
  ChrootExecutor(image::ImageStore& images, std::filesystem::path mount_point)
      : images_(images), mount_point_(std::move(mount_point)) {}
  task<int> run(RunRequest request, std::function<void(std::string_view)> output) override;

  int runs = 0;
  RunRequest last;
  std::function<void()> started;  ///< called when a step has begun

 private:
  image::ImageStore& images_;
  std::filesystem::path mount_point_;
};

/// The network, as far as a test says.
class FakeRemote : public Remote {
 public:
  task<> pull(std::string reference, std::string platform, std::function<void(std::string)> tell) override;
  task<> fetch(std::string url, std::filesystem::path into) override;

  std::vector<std::string> pulled, fetched;
  std::map<std::string, std::string> files;  ///< by URL
  std::function<void(const std::string&)> on_pull;
};

/// A data directory with a busybox base image "base:latest", and builds in it.
class BuildTest : public testing::Test {
 protected:
  /// `root`: where the data directory goes; empty: a directory of its own under /var/tmp.
  void open(const std::filesystem::path& root = {});
  void SetUp() override { open(); }
  void TearDown() override;

  using Files = std::map<std::string, std::string>;  ///< "dir/" makes a directory, "a->b" a link
  std::filesystem::path context(const Files& files);
  image::ImageInfo build_in(const std::filesystem::path& context, Options options = {});
  image::ImageInfo build(const std::string& dockerfile, const Files& files = {}, Options options = {});
  /// The error a build must end with.
  Error failure(const std::string& dockerfile, const Files& files = {}, Options options = {});

  std::string read(const image::ImageInfo& image, const std::string& path);
  bool exists(const image::ImageInfo& image, const std::string& path);
  struct ::stat status(const image::ImageInfo& image, const std::string& path);
  std::vector<std::string> cached_steps() const;
  std::size_t left_in_scratch() const;

  struct World;
  std::unique_ptr<TemporaryDirectory> own_root_;
  std::filesystem::path root_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<content::ContentStore> content_;
  std::unique_ptr<image::ImageStore> images_;
  std::vector<std::unique_ptr<asio::io_context>> loops_;
  std::unique_ptr<WorkerPool> pool_;
  std::unique_ptr<ChrootExecutor> executor_;
  FakeRemote remote_;
  std::unique_ptr<Builder> builder_;
  std::vector<Step> steps_;  ///< of the last build
  int contexts_ = 0;

 private:
  void make_base_image();
  TreeView view(const image::ImageInfo& image);
};

}  // namespace gantry::build
