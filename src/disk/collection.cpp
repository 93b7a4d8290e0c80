#include "collection.h"

#include <algorithm>
#include <tuple>

namespace gantry::disk {
namespace {

constexpr std::uint64_t kLargestReserve = 10ull << 30;
constexpr std::uint64_t kReserveShare = 20;  // a twentieth

Timestamp last_use(const image::ImageInfo& info) {
  return std::max(info.used.value_or(Timestamp{}), info.tagged.value_or(Timestamp{}));
}

struct Rank {
  int order;
  Duration kept;
};

Rank rank_of(const image::ImageInfo& info) {
  bool elsewhere = !info.digests.empty();
  if (elsewhere) return {1, kFresh};
  if (info.references.empty()) return {0, kUnnamedKept};
  return {2, kOwnKept};
}

}  // namespace

NextImage next_image(const std::vector<ImageUse>& images, Timestamp now) {
  NextImage out;
  const ImageUse* best = nullptr;
  for (const auto& image : images) {
    if (image.containers > 0) continue;
    auto rank = rank_of(image.info);
    if (now - last_use(image.info) < rank.kept) {
      out.later = out.later || rank.order != 2;
      continue;
    }
    auto key = [](const ImageUse& one) { return std::tuple(rank_of(one.info).order, last_use(one.info)); };
    if (best == nullptr || key(image) < key(*best)) best = &image;
  }
  if (best != nullptr) {
    const auto& names = best->info.references;
    out.candidate = Candidate{best->info.id, names.empty() ? best->info.id : names.front()};
  }
  return out;
}

std::optional<std::uint64_t> within_reserve(std::optional<std::uint64_t> budget, std::uint64_t used,
                                            const FileSystem& file_system) {
  if (!budget) return budget;
  auto reserve = std::min(kLargestReserve, file_system.size / kReserveShare);
  if (file_system.free >= reserve) return std::min(*budget, used + (file_system.free - reserve));
  auto lacking = reserve - file_system.free;
  return std::min(*budget, used > lacking ? used - lacking : 0);
}

std::uint64_t target_of(std::uint64_t budget) { return budget / 10 * 9; }

}  // namespace gantry::disk
