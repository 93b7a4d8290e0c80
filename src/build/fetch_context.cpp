#include <fcntl.h>

#include "builder_impl.h"
#include "dockerfile/checks.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/without_credentials.h"
#include "git_checkout.h"
#include "layer/copy_step.h"

/// Build contexts that the daemon fetches itself.
namespace gantry::build {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLongestDockerfile = 1u << 20;

}  // namespace

task<Builder::Context> Builder::fetch_context(std::string url, Remote* remote) {
  auto* impl = impl_.get();
  auto* from = remote != nullptr ? remote : impl->remote;
  if (!is_remote_source(url))
    throw Error(ErrorKind::invalid, "the build context " + url + " is no address that can be fetched",
                "give an https address of an archive, a Dockerfile or a Git repository (ending in .git)");
  TemporaryDirectory directory(impl->places.scratch, "context-");
  Context out;
  if (auto git = parse_git_source(url)) {
    auto tree = co_await checkout_git(*git, directory.path() / "tree", false);
    out.root = tree.root;
    out.source = Checkout{without_credentials(git->url), tree.commit, git->directory, false};
  } else {
    if (from == nullptr) throw Error(ErrorKind::unsupported, "this builder fetches nothing");
    auto file = directory.path() / "fetched";
    co_await from->fetch(url, file);
    auto unpack = [this, file, &out, &directory] {
      Fd fd = open_file(file.string(), O_RDONLY);
      if (is_archive(fd.get())) {
        if (::lseek(fd.get(), 0, SEEK_SET) < 0) throw_errno("read the build context");
        auto unpacked = unpack_context(fd.get());
        fs::rename(unpacked, directory.path() / "tree");
      } else {
        make_directories(directory.path() / "tree");
        out.dockerfile = read_file(file, kLongestDockerfile);
      }
      out.root = directory.path() / "tree";
    };
    co_await impl->pool.run(unpack);
  }
  out.directory = directory.release();
  co_return out;
}

}  // namespace gantry::build
