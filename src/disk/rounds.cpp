#include <unistd.h>

#include <algorithm>

#include "gantry/base/error.h"
#include "gantry/base/log.h"
#include "keeper_impl.h"
#include "measure.h"

namespace gantry::disk {
namespace {

constexpr std::chrono::seconds kFirst{20};  // after the start: what boots the machine comes first
constexpr std::chrono::seconds kSettle{1};  // several layers come at once
constexpr std::chrono::hours kSeldom{1};    // when nothing is said to grow
constexpr std::size_t kMostSteps = 1000;    // of one round

}  // namespace

void Keeper::begin(asio::any_io_executor executor) {
  auto* impl = impl_.get();
  impl->scope.emplace(executor);
  impl->timer.emplace(executor);
  std::weak_ptr<Impl> weak = impl_;
  impl->engine.images().on_growth([weak, executor] {
    asio::post(executor, [weak] {
      if (auto self = weak.lock()) self->poke();
    });
  });
  impl->mirror.on_growth([weak, executor] {
    asio::post(executor, [weak] {
      if (auto self = weak.lock()) self->poke();
    });
  });
  impl->engine.volumes().on_new([weak](const volume::VolumeSpec& spec) {
    if (auto self = weak.lock()) Keeper::admit(*self, spec);
  });
  impl->scope->spawn("keep within the budgets of the disk", impl->watch());
}

task<> Keeper::close() {
  if (impl_->scope) co_await impl_->scope->close();
}

void Keeper::Impl::poke() {
  poked = true;
  if (timer) timer->cancel();
}

task<> Keeper::Impl::watch() {
  std::optional<std::chrono::steady_clock::time_point> last_whole;
  std::chrono::nanoseconds pause = kFirst;
  while (!scope->closing()) {
    if (!poked) {
      timer->expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(pause));
      co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
    }
    co_await sleep_for(kSettle);
    poked = false;
    auto at = std::chrono::steady_clock::now();
    bool whole = !last_whole || at - *last_whole >= kSeldom;
    bool again = true;  // also after a failure: what was not looked at must not wait for the next hour
    try {
      again = co_await round(whole);
      if (whole) last_whole = at;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) throw;
      log::warn("budgets of the disk: {}", error.message());
    }
    pause = again ? std::chrono::nanoseconds(kFresh) : std::chrono::nanoseconds(kSeldom);
  }
}

task<bool> Keeper::Impl::round(bool whole) {
  auto& images = engine.images();
  auto mounted = engine.layers_in_use(true);
  auto look = [this, &images, mounted] {
    images.drop_replaced(mounted);
    return file_system_of(data_dir);
  };
  auto file_system = co_await engine.pool().run(look);
  bool again = co_await collect_images(file_system);
  co_await collect_cache(file_system);
  again = co_await collect_mirror(file_system) || again;
  if (whole) {
    co_await trim_logs(file_system);
    co_await watch_volumes(file_system);
  }
  co_return again;
}

// One image a step: whoever wants the store, the pool or this thread in between gets it.
task<bool> Keeper::Impl::collect_images(FileSystem file_system) {
  Parts only_images{.images = true, .containers = false, .volumes = false, .cache = false, .registry = false};
  std::optional<std::uint64_t> target;
  for (std::size_t step = 0; step < kMostSteps; ++step) {
    auto usage = co_await measure(only_images);
    auto wanted = budgets.images.of(file_system.size);
    auto budget = within_reserve(wanted, usage.layers, usage.file_system);
    if (!budget) co_return false;
    if (!target && usage.layers <= *budget) {
      warn("images", false, "", "");
      co_return false;
    }
    if (!target) target = target_of(*budget);
    if (usage.layers <= *target) co_return false;
    auto next = next_image(usage.images, now());
    if (!next.candidate) {
      bool over = usage.layers > *budget;
      warn("images", over && !next.later,
           "images take " + human_bytes(usage.layers) + ", more than the " + human_bytes(*budget) +
               " they may, and all are in use, or made here and not long unused",
           "remove images ('gantry disk' shows the largest), or start gantryd with a larger --image-budget");
      co_return next.later;
    }
    std::vector<image::ImageUser> users;
    engine::ContainerFilter all;
    all.build_steps = true;
    engine.for_each(all, [&](const engine::ContainerInfo& info) {
      users.push_back({info.image_id, info.id.str(), true});
    });
    auto& images = engine.images();
    auto remove = [&images, users, id = next.candidate->id] {
      return images.prune(true, users, [&](const image::ImageInfo& one) {
        return one.id == id && (!one.used || now() - *one.used >= kFresh);
      });
    };
    auto removed = co_await engine.pool().run(remove);
    if (removed.deleted.empty()) co_return true;  // somebody has it since
    log::info("image {}: removed to keep images within their budget; {} given back", next.candidate->name,
              human_bytes(removed.bytes));
    tell("image", "delete", next.candidate->id, next.candidate->name);
  }
  co_return true;
}

task<> Keeper::Impl::collect_cache(FileSystem file_system) {
  auto usage = co_await builder.cache_usage();
  auto used = usage.layers + usage.mounts;
  auto budget = within_reserve(budgets.cache.of(file_system.size), used, file_system);
  if (!budget || used <= *budget) co_return;
  auto freed = co_await builder.shrink_cache(target_of(*budget));
  if (freed == 0) co_return;
  log::info("build cache: {} given back to keep it within its budget", human_bytes(freed));
  tell("builder", "prune", "", "build cache");
}

task<bool> Keeper::Impl::collect_mirror(FileSystem file_system) {
  auto wanted = budgets.mirror.of(file_system.size);
  auto collect = [this, wanted, file_system] {
    auto used = mirror.use();
    auto bytes = used.blobs + used.manifests;
    auto budget = within_reserve(wanted, bytes, file_system);
    bool over = budget && bytes > *budget;
    auto shrunk = over ? mirror.shrink(target_of(*budget)) : distribution::Shrunk{};
    return std::tuple(shrunk, budget.value_or(0), bytes - std::min(bytes, shrunk.bytes));
  };
  auto [shrunk, budget, left] = co_await engine.pool().run(collect);
  if (shrunk.manifests > 0) {
    log::info("mirrors of other registries: {} given back to keep them within their budget", human_bytes(shrunk.bytes));
    tell("registry", "prune", "", "registry mirror");
  }
  warn("registry mirror", wanted && left > budget && !shrunk.later,
       "mirrors of other registries take " + human_bytes(left) + ", more than the " + human_bytes(budget) +
           " they may, and the images of this host came from what is left",
       "remove images ('gantry disk' shows the largest), or start gantryd with a larger --registry-proxy-budget");
  co_return shrunk.later;
}

task<> Keeper::Impl::trim_logs(FileSystem file_system) {
  auto budget = budgets.logs.of(file_system.size);
  if (!budget) co_return;
  std::vector<std::string> paths;
  engine::ContainerFilter all;
  engine.for_each(all, [&](const engine::ContainerInfo& info) { paths.push_back(engine.details(info.id).log_path); });
  auto trim = [paths, limit = *budget] {
    Logs found;
    for (const auto& path : paths) {
      auto logs = logs_at(path);
      found.bytes += logs.bytes;
      found.rotated.insert(found.rotated.end(), logs.rotated.begin(), logs.rotated.end());
    }
    if (found.bytes <= limit) return found.bytes;
    std::sort(found.rotated.begin(), found.rotated.end(),
              [](const auto& a, const auto& b) { return a.changed < b.changed; });
    for (const auto& one : found.rotated) {
      if (found.bytes <= target_of(limit)) break;
      if (::unlink(one.path.c_str()) == 0) found.bytes -= one.bytes;
    }
    return found.bytes;
  };
  auto left = co_await engine.pool().run(trim);
  warn("logs", left > *budget,
       "logs take " + human_bytes(left) + ", more than the " + human_bytes(*budget) + " they may",
       "remove containers that are not needed, or give their logs a smaller --log-opt max-size");
}

task<> Keeper::Impl::watch_volumes(FileSystem file_system) {
  auto budget = budgets.volumes.of(file_system.size);
  if (!budget) co_return;
  auto walk = [this] { return volume_bytes(); };
  auto used = co_await engine.pool().run(walk);
  warn("volumes", used > *budget,
       "volumes take " + human_bytes(used) + ", more than the " + human_bytes(*budget) +
           " they may; no new ones are made",
       "remove volumes ('gantry disk' shows the largest), or start gantryd with a larger --volume-budget");
}

void Keeper::Impl::warn(const std::string& kind, bool over, std::string problem, std::string fix) {
  if (!over) {
    warned.erase(kind);
    return;
  }
  bool known = warned.contains(kind);
  warned[kind] = {kind, problem, std::move(fix)};
  if (known) return;
  log::warn("{}", problem);
  tell("disk", "over_budget", kind, kind);
}

void Keeper::Impl::tell(std::string type, std::string action, std::string id, std::string name) {
  engine::Event event;
  event.time = now();
  event.type = std::move(type);
  event.action = std::move(action);
  event.id = std::move(id);
  event.name = std::move(name);
  event.attributes["reason"] = "budget";
  engine.publish(std::move(event));
}

}  // namespace gantry::disk
