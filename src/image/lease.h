#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gantry/image/image_store.h"

namespace gantry::image {

/// Guarded by the store's mutex.
class ImageStore::Lease {
 public:
  std::set<std::string> diff_ids;
  std::set<std::string> blobs;
};

/// What all living leases hold.
struct Held {
  std::set<std::string> diff_ids;
  std::set<std::string> blobs;
};

class LeaseTable {
 public:
  std::shared_ptr<ImageStore::Lease> make() {
    std::erase_if(leases_, [](const auto& lease) { return lease.expired(); });
    auto lease = std::make_shared<ImageStore::Lease>();
    leases_.push_back(lease);
    return lease;
  }

  Held held() const {
    Held out;
    for (const auto& weak : leases_) {
      auto lease = weak.lock();
      if (!lease) continue;
      out.diff_ids.insert(lease->diff_ids.begin(), lease->diff_ids.end());
      out.blobs.insert(lease->blobs.begin(), lease->blobs.end());
    }
    return out;
  }

 private:
  std::vector<std::weak_ptr<ImageStore::Lease>> leases_;
};

}  // namespace gantry::image
