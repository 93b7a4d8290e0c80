#include "../image_users.h"
#include "routes.h"

/// Who owns the bytes of the disk, and giving them back.
namespace gantry::api::v1 {
namespace {

struct PrunedDisk {
  std::uint64_t images = 0;  ///< bytes
  std::uint64_t cache = 0;
};
BOOST_DESCRIBE_STRUCT(PrunedDisk, (), (images, cache))

task<> usage(Services& services, Call call) {
  auto report = co_await services.parts.disk.report();
  co_await answer(call.exchange, 200, std::move(report));
}

task<PrunedDisk> prune_disk_work(Services& services, bool all) {
  PrunedDisk out;
  auto& images = services.engine().images();
  auto users = image_users(services.engine());
  auto work = [&images, all, users] { return images.prune(all, users, [](const image::ImageInfo&) { return true; }); };
  auto removed = co_await services.pool().run(work);
  for (const auto& id : removed.deleted) publish(services, "image", "delete", id, id);
  out.images = removed.bytes;
  out.cache = co_await services.parts.builder.prune_cache();
  publish(services, "builder", "prune", "", "");
  co_return out;
}

task<> prune_disk(Services& services, Call call) {
  auto work = prune_disk_work(services, flag(call.query(), "all"));
  auto pruned = co_await shield<PrunedDisk>(services.changes, "give disk space back", std::move(work));
  co_await answer(call.exchange, 200, std::move(pruned));
}

}  // namespace

std::vector<Route> disk_routes(Services& s) {
  return {
      {"GET", "/v1/disk", "disk.read", Effect::reads, {}, with(s, usage)},
      {"POST", "/v1/disk/prune", "image.remove", Effect::changes, {"all"}, with(s, prune_disk)},
  };
}

}  // namespace gantry::api::v1
