#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string_view>

namespace gantry::distribution {

/// Lets a part of what is produced through.
class Window {
 public:
  using Sink = std::function<void(std::string_view)>;
  Window(std::uint64_t first, std::uint64_t size, const Sink& sink) : skip_(first), left_(size), sink_(sink) {}
  void take(std::string_view piece) {
    auto skipped = std::min<std::uint64_t>(skip_, piece.size());
    skip_ -= skipped;
    piece.remove_prefix(skipped);
    piece = piece.substr(0, left_);
    left_ -= piece.size();
    if (!piece.empty()) sink_(piece);
  }

 private:
  std::uint64_t skip_, left_;
  const Sink& sink_;
};

}  // namespace gantry::distribution
