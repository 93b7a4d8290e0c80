#include <fcntl.h>

#include "files/root_view.h"
#include "gantry/base/files.h"
#include "id_range.h"
#include "impl.h"

// Files of a container. One that runs is seen through the root of its first process, with everything mounted there; one
// that does not is mounted for the purpose, and cannot start meanwhile.
namespace gantry::engine {
namespace {

std::optional<runtime::IdRange> ids_of(const Record& record) {
  if (!record.internals.id_slot) return std::nullopt;
  return id_range(*record.internals.id_slot);
}

Fd root_of_process(std::int64_t pid) {
  return open_file("/proc/" + std::to_string(pid) + "/root", O_PATH | O_DIRECTORY);
}

// What overlayfs works in must be there, whether it has ever been started or not.
void make_writable_layer(const runtime::Plan& plan) {
  for (const auto& directory : {plan.upper, plan.work}) {
    if (std::filesystem::exists(directory)) continue;
    make_directories(directory, 0755);
    std::filesystem::permissions(directory, std::filesystem::perms(0755));
  }
}

ViewPlan view_of(const runtime::Plan& plan, const ContainerPaths& paths) {
  ViewPlan out;
  out.layers = plan.layers;
  out.upper = plan.upper;
  out.work = plan.work;
  out.read_only = plan.read_only_root;
  for (const auto& mount : plan.mounts) {
    if (mount.kind != runtime::PlannedMount::Kind::bind) continue;
    // What it shares of others' namespaces is theirs.
    if (mount.seen_by != 0 || mount.target == "/dev/shm" || mount.target.starts_with("/sys/")) continue;
    // Its own files are written with its first start.
    bool own = std::filesystem::path(mount.source).parent_path() == paths.root;
    if (own && !std::filesystem::exists(mount.source)) continue;
    out.mounts.push_back({.source = mount.source, .target = mount.target, .read_only = mount.read_only});
  }
  return out;
}

}  // namespace

// The last reference to mounts takes them away, which waits for all processors: not on the control thread.
task<> Engine::Impl::let_go(FileRoot root) {
  auto close = [shared = std::make_shared<Fd>(std::move(root.root))] { shared->reset(); };
  co_await parts.pool.run(std::move(close));
}

task<FileRoot> Engine::Impl::open_files(ContainerPtr container) {
  FileRoot out;
  if (!container->run || container->run->exit) out.guard.emplace(co_await container->mutex.lock());
  if (container->gone)
    throw Error(ErrorKind::not_found, "container " + container->name() + " does not exist",
                "'gantry ps -a' lists them all");
  if (auto run = container->run; run && !run->exit) {
    out.guard.reset();
    if (auto ids = ids_of(container->record)) out.ids = {ids->host, ids->size};
    auto open = [pid = container->record.info.pid] { return std::make_shared<Fd>(root_of_process(pid)); };
    auto root = co_await parts.pool.run(std::move(open));
    // A process that ended meanwhile has given its number back.
    if (run->exit)
      throw Error(ErrorKind::conflict, "container " + container->name() + " ended at this moment", "try again");
    out.root = std::move(*root);
    co_return out;
  }
  co_await has_left(container);
  auto volumes = co_await prepare_volumes(container, false);
  auto mount = [this, record = container->record, volumes] {
    PlanInputs inputs;
    inputs.paths = paths_of(record.info.id);
    inputs.layers = layer_paths(record);
    inputs.volume_paths = volumes;
    inputs.network_files = inputs.paths.root;
    inputs.capabilities = capabilities;
    auto plan = make_plan(record, inputs);
    make_writable_layer(plan);
    return std::make_shared<Fd>(mount_view(view_of(plan, inputs.paths)));
  };
  auto root = co_await parts.pool.run(std::move(mount));
  out.root = std::move(*root);
  co_return out;
}

task<image::PathStat> Engine::Impl::archive_stat(ContainerId id, std::string path) {
  auto root = co_await open_files(find(id));
  auto tree = std::make_shared<Fd>(root.root.duplicate());
  auto look = [tree, path, ids = root.ids] {
    image::TreeArchive archive(std::move(*tree), path, ids);
    return archive.status();
  };
  std::exception_ptr failure;
  image::PathStat status;
  try {
    status = co_await parts.pool.run(std::move(look));
  } catch (...) {
    failure = std::current_exception();
  }
  co_await let_go(std::move(root));
  if (failure) std::rethrow_exception(failure);
  co_return status;
}

task<> Engine::Impl::send_tree(FileRoot root, std::string path, ArchiveHead head, ArchiveSink sink) {
  using image::TreeArchive;
  auto tree = std::make_shared<Fd>(std::move(root.root));
  auto open = [tree, path, ids = root.ids] { return std::make_shared<TreeArchive>(std::move(*tree), path, ids); };
  std::shared_ptr<TreeArchive> archive;
  std::exception_ptr failure;
  try {
    archive = co_await parts.pool.run(std::move(open));
    if (head) co_await head(archive->status());
    for (bool more = true; more;) {
      auto read = [archive] { return archive->next(); };
      auto piece = co_await parts.pool.run(std::move(read));
      more = !piece.empty();
      if (more) co_await sink(std::move(piece));
    }
  } catch (...) {
    failure = std::current_exception();
  }
  // Also when the reader was cancelled: what it held must go, and not on this thread.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  auto close = [archive, tree]() mutable {
    archive.reset();
    tree.reset();
  };
  archive.reset();
  tree.reset();
  co_await parts.pool.run(std::move(close));
  if (failure) std::rethrow_exception(failure);
}

task<> Engine::Impl::archive_get(ContainerId id, std::string path, ArchiveHead head, ArchiveSink sink) {
  auto container = find(id);
  auto root = co_await open_files(container);
  events->publish(event(*container, "archive_path", "path", path));
  co_await send_tree(std::move(root), std::move(path), std::move(head), std::move(sink));
}

task<> Engine::Impl::archive_put(ContainerId id, std::string path, std::shared_ptr<Fd> tar, ArchivePut options) {
  auto container = find(id);
  Transfer transfer(parts.transfers);
  auto root = co_await open_files(container);
  image::PutOptions put;
  put.keep_kinds = options.no_overwrite_dir_non_dir;
  put.ids = root.ids;
  // As Docker does it: without a user of its own the container keeps the owners that the archive names.
  if (options.copy_uid_gid && !container->record.internals.resolved.user.empty()) {
    auto user = co_await user_of(container, container->record.internals.resolved.user);
    put.owner = image::PutOptions::Owner{user.uid, user.gid};
  }
  auto unpack = [tar, tree = std::make_shared<Fd>(root.root.duplicate()), path, put] {
    image::put_archive(tar->get(), tree->get(), path, put);
    tree->reset();
  };
  std::exception_ptr failure;
  try {
    co_await transfer.run(std::move(unpack));
  } catch (...) {
    failure = std::current_exception();
  }
  co_await let_go(std::move(root));
  if (failure) std::rethrow_exception(failure);
  events->publish(event(*container, "extract_to_dir", "path", path));
}

// Seen from its layers alone, so without what is mounted in it; that others write to them meanwhile is no worse than
// reading a file while it is written.
task<> Engine::Impl::export_tree(ContainerId id, ArchiveSink sink) {
  auto container = find(id);
  auto mount = [this, record = container->record] {
    ViewPlan plan;
    plan.layers = layer_paths(record);
    auto upper = upper_of(record, paths_of(record.info.id));
    if (std::filesystem::exists(upper)) plan.layers.push_back(upper);
    return std::make_shared<Fd>(mount_view(plan));
  };
  auto tree = co_await parts.pool.run(std::move(mount));
  FileRoot root;
  root.root = std::move(*tree);
  events->publish(event(*container, "export"));
  co_await send_tree(std::move(root), "/", {}, std::move(sink));
}

}  // namespace gantry::engine
