#include "metrics.h"

#include <fmt/format.h>

namespace gantry::api::registry_front {
namespace {

void add(std::string& out, std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
  out += fmt::format("# HELP gantry_registry_{0} {2}\n# TYPE gantry_registry_{0} {1}\ngantry_registry_{0} {3}\n", name,
                     type, help, value);
}

}  // namespace

std::string Metrics::text(const distribution::Totals& totals, const distribution::MirrorUse& mirrored) const {
  std::string out =
      "# HELP gantry_registry_requests_total Requests by method and status.\n"
      "# TYPE gantry_registry_requests_total counter\n";
  {
    std::lock_guard lock(mutex_);
    for (const auto& [key, count] : requests_)
      out +=
          fmt::format("gantry_registry_requests_total{{method=\"{}\",code=\"{}\"}} {}\n", key.first, key.second, count);
  }
  add(out, "sent_bytes_total", "counter", "Bytes of blobs sent.", sent);
  add(out, "received_bytes_total", "counter", "Bytes of blobs received.", received);
  add(out, "repositories", "gauge", "Repositories.", totals.repositories);
  add(out, "tags", "gauge", "Tags.", totals.tags);
  add(out, "manifests", "gauge", "Manifests.", totals.manifests);
  add(out, "blobs", "gauge", "Blobs.", totals.blobs);
  add(out, "uploads", "gauge", "Uploads that have begun and not ended.", totals.uploads);
  add(out, "stored_bytes", "gauge", "Bytes of blobs kept as files.", totals.bytes);
  add(out, "mirrored_bytes", "gauge", "Bytes of those that only mirrors of other registries have.", mirrored.blobs);
  add(out, "shared_bytes", "gauge", "Bytes of blobs that are made from layers of the engine.", totals.shared_bytes);
  return out;
}

}  // namespace gantry::api::registry_front
