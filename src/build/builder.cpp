#include "gantry/build/builder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "builder_impl.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "gantry/image/archive.h"
#include "layer/upper_writer.h"
#include "plan/platforms.h"

namespace gantry::build {

namespace fs = std::filesystem;

namespace {

constexpr char kBuilderName[] = "gantry " GANTRY_VERSION;
constexpr char kMounts[] = "mounts";  // in the scratch directory; the one thing there that outlives a build

// Of any platform, unless one is asked for.
bool is_here(image::ImageStore& images, const std::string& reference, const std::string& platform) {
  try {
    auto config = images.resolve(reference).config;
    Platform has{config.os, config.architecture, config.variant.value_or("")};
    return platform.empty() || is_for(has, parse_platform(platform, Platform::current()));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return false;
  }
}

}  // namespace

Builder::Builder(WorkerPool& pool, store::Database& database, image::ImageStore& images, Executor& executor,
                 fs::path scratch_dir, Remote* remote, fs::path memory_dir)
    : impl_(new Impl{pool,
                     images,
                     LayerCache(database, images),
                     {scratch_dir, memory_dir},
                     {pool, executor, CacheMounts(scratch_dir / kMounts), {}},
                     remote,
                     BuildRecords(database)}) {}

Builder::~Builder() = default;

void Builder::recover() {
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(impl_->places.scratch))
    if (entry.path().filename() != kMounts) left.push_back(entry.path());
  for (const auto& path : left) {
    try {
      remove_tree(path);
    } catch (const Error& error) {
      log::warn("what a build left: {}", error.message());  // the next start tries again
    }
  }
  std::vector<std::string> there;
  for (const auto& image : impl_->images.list()) there.push_back(image.id);
  impl_->records.keep_only(there);
  if (impl_->places.memory.empty()) return;
  remove_tree(impl_->places.memory);
  make_directories(impl_->places.memory, 0700);
}

// Getting an image can show that another one is needed: its ONBUILD may name one.
task<> Builder::Impl::pull_images(SharedSession session, Options options, StepSink sink, Remote* from) {
  if (from == nullptr) co_return;
  constexpr int kRounds = 8;
  std::set<std::string> done;
  auto tell = [sink](std::string line) { sink(Step{.output = std::move(line)}); };
  for (int round = 0; round < kRounds; ++round) {
    auto list = [session] { return session->images_named(); };
    auto names = co_await pool.run(list);
    std::erase_if(names, [&](const auto& name) { return done.contains(name.reference); });
    if (names.empty()) co_return;
    for (const auto& name : names) {
      done.insert(name.reference);
      auto look = [this, name] { return is_here(images, name.reference, name.platform); };
      bool here = co_await pool.run(look);
      if (!here || options.pull) co_await from->pull(name.reference, name.platform, tell);
    }
  }
}

// A cache that cannot be had costs time and nothing else.
task<> Builder::Impl::import_caches(SharedSession session, std::vector<std::string> references, StepSink sink,
                                    Remote* from) {
  auto tell = [sink](std::string line) { sink(Step{.output = std::move(line)}); };
  for (const auto& reference : references) {
    std::string why;
    try {
      auto look = [this, reference] { return is_here(images, reference, ""); };
      bool by_id = reference.starts_with("sha256:");
      bool here = co_await pool.run(look);
      if (from != nullptr && !by_id) {
        try {
          co_await from->pull(reference, "", tell);
        } catch (const Error& error) {
          if (!here) why = error.message();
        }
      }
      auto import = [session, reference] { return session->import_cache(reference); };
      bool found = why.empty() && co_await pool.run(import);
      if (why.empty() && !found) why = "it says nothing about build steps";
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) throw;
      why = error.message();
    }
    Step note{.text = "no cache from " + reference + ": " + why};
    if (!why.empty()) sink(note);
  }
}

task<image::ImageInfo> Builder::Impl::run(SharedSession session, Options options, StepSink sink, Remote* from) {
  auto caches = options.cache_from;
  co_await pull_images(session, std::move(options), sink, from);
  co_await import_caches(session, std::move(caches), sink, from);
  auto prepare = [session] { session->prepare(); };
  co_await pool.run(prepare);
  const auto& plan = session->plan();
  for (const auto& text : plan.notes) {
    Step note{.count = plan.step_count, .text = text};
    sink(note);
  }
  BuildRun build(workshop, session, sink, from);
  co_await build.stages();
  auto commit = [this, session] {
    auto image = session->commit();
    auto provenance = session->provenance();
    provenance.builder = kBuilderName;
    records.remember(image.id, provenance);
    return image;
  };
  auto info = co_await pool.run(commit);
  Step done{.count = plan.step_count, .image = info.id};
  sink(done);
  co_return info;
}

task<image::ImageInfo> Builder::build(fs::path context, Options options, StepSink sink, Remote* remote) {
  auto session = std::make_shared<Session>(impl_->images, impl_->cache, impl_->places, std::move(context), options);
  std::exception_ptr failure;
  std::optional<image::ImageInfo> info;
  try {
    info =
        co_await impl_->run(session, std::move(options), std::move(sink), remote != nullptr ? remote : impl_->remote);
  } catch (...) {
    failure = std::current_exception();
  }
  // What a cancelled build has written goes too, and the caller waits for that.
  co_await asio::this_coro::throw_if_cancelled(false);
  std::optional<Error> why;
  if (failure) why = to_error(failure);
  auto discard = [session, why] { session->discard(why ? &*why : nullptr); };
  co_await impl_->pool.run(discard);
  if (failure) std::rethrow_exception(failure);
  co_return std::move(*info);
}

task<Builder::CacheUsage> Builder::cache_usage() {
  auto* impl = impl_.get();
  auto measure = [impl] {
    CacheUsage out;
    out.mounts = impl->workshop.mounts.size();
    for (const auto& layer : impl->images.layers())
      if (layer.images == 0) out.layers += layer.size;
    return out;
  };
  co_return co_await impl_->pool.run(measure);
}

task<std::uint64_t> Builder::prune_cache() { return shrink_cache(0); }

task<std::uint64_t> Builder::shrink_cache(std::uint64_t target) {
  auto* impl = impl_.get();
  struct Entry {
    std::int64_t used;
    std::uint64_t bytes;
    bool mount;
    std::string name;
  };
  auto list = [impl] {
    std::vector<Entry> out;
    for (auto& mount : impl->workshop.mounts.list())
      out.push_back({mount.used, mount.bytes, true, std::move(mount.name)});
    for (auto& layer : impl->images.layers())
      if (layer.images == 0)
        out.push_back({impl->cache.last_used(layer.diff_id), layer.size, false, std::move(layer.diff_id)});
    std::ranges::sort(out, {}, &Entry::used);
    return out;
  };
  auto entries = co_await impl->pool.run(list);
  std::uint64_t total = 0, freed = 0;
  for (const auto& entry : entries) total += entry.bytes;
  for (const auto& entry : entries) {
    if (target > 0 && total <= target + freed) break;
    auto name = entry.name;
    if (entry.mount) {
      // Asked here, where builds take them: none begins with a directory that is going.
      auto aside = impl->workshop.mounts.set_aside(name);
      if (!aside) continue;
      name = *aside;
    }
    auto remove = [impl, name, mount = entry.mount] {
      return mount ? impl->workshop.mounts.remove(name) : impl->images.discard_layers({name});
    };
    freed += co_await impl->pool.run(remove);
  }
  co_return freed;
}

std::optional<Provenance> Builder::provenance(const std::string& image) const { return impl_->records.find(image); }

fs::path Builder::unpack_image(const std::string& reference) {
  auto lease = impl_->images.lease();
  auto image = impl_->images.resolve(reference);
  std::vector<fs::path> layers;
  for (const auto& diff_id : image.layers) {
    impl_->images.hold(*lease, diff_id);
    layers.push_back(impl_->images.layer_path(diff_id));
  }
  TemporaryDirectory directory(impl_->places.scratch, "image-");
  auto root = directory.path() / "root";
  if (layers.empty()) {
    make_upper(root, nullptr);
    return directory.release();
  }
  TreeView source(layers);
  make_upper(root, &source);
  TreeView target({root});
  UpperWriter(root, target, {}).copy_children(source, source.root(), "", {});
  return directory.release();
}

fs::path Builder::unpack_context(int fd) {
  TemporaryDirectory directory(impl_->places.scratch, "context-");
  Fd root = open_file(directory.path().string(), O_RDONLY | O_DIRECTORY);
  try {
    image::unpack_archive(fd, root.get(), {.whiteouts = false, .attributes = false});
  } catch (Error& error) {
    throw error.within("build context");
  }
  return directory.release();
}

}  // namespace gantry::build
