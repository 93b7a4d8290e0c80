#include <algorithm>

#include "keeper_impl.h"

namespace gantry::disk {
namespace {

Share image_share(const Usage& usage) {
  Share out{.kind = "images", .count = usage.images.size(), .bytes = usage.layers, .how = "gantry image prune --all"};
  for (const auto& image : usage.images) {
    if (image.containers > 0) ++out.used;
    if (image.containers == 0) out.reclaimable += image.unique;
  }
  return out;
}

Share cache_share(const Usage& usage) {
  auto bytes = usage.cache.layers + usage.cache.mounts;
  return {.kind = "build cache", .bytes = bytes, .reclaimable = bytes, .how = "gantry prune"};
}

Share container_share(const Usage& usage) {
  Share out{.kind = "containers", .count = usage.containers.size(), .how = "gantry rm"};
  for (const auto& container : usage.containers) {
    out.bytes += container.writable;
    if (container.running) ++out.used;
    if (!container.running) out.reclaimable += container.writable;
  }
  return out;
}

Share log_share(const Usage& usage) {
  Share out{.kind = "logs", .count = usage.containers.size(), .how = "gantry rm"};
  for (const auto& container : usage.containers) {
    out.bytes += container.logs;
    if (container.running) ++out.used;
    if (!container.running) out.reclaimable += container.logs;  // they go with the container
  }
  return out;
}

Share volume_share(const Usage& usage) {
  Share out{.kind = "volumes", .count = usage.volumes.size(), .how = "gantry volume prune --all"};
  for (const auto& volume : usage.volumes) {
    out.bytes += volume.bytes;
    if (volume.containers > 0) ++out.used;
    if (volume.containers == 0) out.reclaimable += volume.bytes;
  }
  return out;
}

Share registry_share(const Usage& usage) {
  return {.kind = "registry",
          .count = usage.registry.repositories,
          .bytes = usage.registry.bytes,
          .how = "gantry registry gc --untagged"};
}

// All of it can be had again; it goes by itself.
Share mirror_share(const Usage& usage) {
  return {.kind = "registry mirror",
          .count = usage.mirror.repositories,
          .bytes = usage.mirror.bytes,
          .how = "gantryd --registry-proxy-budget"};
}

// The largest first.
template <class Row, class Bytes>
void largest_first(std::vector<Row>& rows, Bytes bytes) {
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) { return bytes(a) > bytes(b); });
}

void add_rows(const Usage& usage, Report& out) {
  for (const auto& image : usage.images) {
    const auto& names = image.info.references;
    out.images.push_back({image.info.id, names.empty() ? "" : names.front(), image.info.size, image.shared,
                          image.unique, image.containers, image.info.used});
  }
  for (const auto& one : usage.containers)
    out.containers.push_back({one.id, one.name, one.running, one.writable, one.logs});
  for (const auto& one : usage.volumes)
    out.volumes.push_back({one.info.name, one.info.anonymous, one.bytes, one.containers});
  largest_first(out.images, [](const ImageRow& row) { return row.bytes; });
  largest_first(out.containers, [](const ContainerRow& row) { return row.writable + row.logs; });
  largest_first(out.volumes, [](const VolumeRow& row) { return row.bytes; });
}

}  // namespace

task<Report> Keeper::report() {
  auto impl = impl_;
  Parts everything;
  auto usage = co_await impl->measure(everything);
  Report out;
  out.data_dir = impl->data_dir.string();
  out.size = usage.file_system.size;
  out.free = usage.file_system.free;
  auto add = [&](Share share, const Limit& limit) {
    share.budget = limit.of(usage.file_system.size);
    out.total += share.bytes;
    out.shares.push_back(std::move(share));
  };
  add(image_share(usage), impl->budgets.images);
  add(cache_share(usage), impl->budgets.cache);
  add(container_share(usage), Limit::none());
  add(log_share(usage), impl->budgets.logs);
  add(volume_share(usage), impl->budgets.volumes);
  add(registry_share(usage), Limit::none());
  add(mirror_share(usage), impl->budgets.mirror);
  out.cache_layers = usage.cache.layers;
  out.cache_mounts = usage.cache.mounts;
  add_rows(usage, out);
  co_return out;
}

}  // namespace gantry::disk
