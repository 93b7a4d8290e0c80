#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "gantry/distribution/mirror.h"

namespace gantry::api::registry_front {

/// What the registry has done since the daemon started, in the Prometheus text format 0.0.4.
class Metrics {
 public:
  /// `status`: "2xx", or the status of a refusal.
  void answered(const std::string& method, const std::string& status) {
    std::lock_guard lock(mutex_);
    ++requests_[{method, status}];
  }
  std::atomic<std::uint64_t> sent{0};      ///< bytes of blobs
  std::atomic<std::uint64_t> received{0};  ///< bytes of uploads
  std::string text(const distribution::Totals& totals, const distribution::MirrorUse& mirrored) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> requests_;
};

}  // namespace gantry::api::registry_front
