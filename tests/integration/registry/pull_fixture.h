#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "fake_registry.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/registry/registry.h"
#include "manifest.h"

namespace gantry::registry::test {

namespace fs = std::filesystem;
using gantry::test::ArchiveBuilder;
using ::testing::HasSubstr;

struct LayerBytes {
  std::string packed;
  std::string tar;
};

inline LayerBytes layer_with(const std::string& name, const std::string& content, int filter = ARCHIVE_FILTER_GZIP) {
  return {ArchiveBuilder(filter).file(name, content).finish(), ArchiveBuilder().file(name, content).finish()};
}

// Content that no compression makes much smaller.
inline std::string noise(std::size_t size) {
  std::string out(size, '\0');
  std::uint64_t state = 11;
  for (char& c : out) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    c = static_cast<char>(state >> 40);
  }
  return out;
}

/// A client with an image store of its own, and a registry that serves what `put` gives it.
class PullTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.first_backoff = std::chrono::milliseconds(5);
    options_.stall_timeout = std::chrono::milliseconds(300);
    options_.attempts = 3;
  }

  std::string put(const std::string& repository, const std::string& tag, const std::vector<LayerBytes>& layers,
                  const std::string& type = kOciManifest, const std::string& architecture = "") {
    oci::ImageConfig config;
    auto host = Platform::host();
    config.architecture = architecture.empty() ? host.architecture : architecture;
    oci::Manifest manifest;
    manifest.mediaType = type;
    for (const auto& layer : layers) {
      config.rootfs.diff_ids.push_back(oci::Digest::of(layer.tar).str());
      manifest.layers.push_back(
          {"application/vnd.oci.image.layer.v1.tar+gzip", server_.blob(layer.packed), layer.packed.size(), {}});
    }
    auto text = json::to_text(config);
    manifest.config = {type == kOciManifest ? kOciConfig : kDockerConfig, server_.blob(text), text.size(), {}};
    return server_.manifest(repository, tag, json::to_text(manifest), type);
  }

  template <class T>
  T run(task<T> work) {
    gantry::detail::Outcome<T> outcome;
    asio::co_spawn(context_, gantry::detail::settle<T>(std::move(work), &outcome), asio::detached);
    context_.restart();
    context_.run();
    if (outcome.failure) std::rethrow_exception(outcome.failure);
    return std::move(*outcome.value);
  }
  PullResult pull(PullRequest request) {
    Registry registry(context_.get_executor(), images_, options_);
    auto sink = [this](const Progress& step) { steps_.push_back(step); };
    return run(registry.pull(std::move(request), sink));
  }
  PullResult pull(const std::string& name) { return pull(PullRequest{server_.host() + "/" + name, {}, {}}); }
  void fails(const std::string& name, ErrorKind kind, const std::string& why) {
    try {
      pull(name);
      ADD_FAILURE() << "pulled, expected: " << why;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.message();
      EXPECT_THAT(error.message(), HasSubstr(why));
      EXPECT_TRUE(images_.list().empty());
      EXPECT_TRUE(fs::is_empty(dir_.path() / "layers/ingest"));
    }
  }
  fs::path file(const PullResult& result, std::size_t layer, const std::string& name) {
    return images_.layer_path(result.image.layers.at(layer)) / name;
  }

  TemporaryDirectory dir_{fs::temp_directory_path(), "gantry-pull-"};
  store::Database database_{dir_.path() / "db", {image::schema()}};
  content::ContentStore content_{dir_.path() / "content"};
  image::ImageStore images_{database_, content_, dir_.path() / "layers"};
  asio::io_context context_{1};
  FakeRegistry server_;
  Options options_;
  std::vector<Progress> steps_;
};

}  // namespace gantry::registry::test
