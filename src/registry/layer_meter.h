#pragma once

#include <chrono>
#include <string>

#include "gantry/registry/registry.h"

namespace gantry::registry {

/// The first twelve digits of a digest, as docker shows layers.
inline std::string short_digest(const std::string& digest) { return digest.substr(digest.find(':') + 1, 12); }

/// Turns a stream of byte counts into a few messages a second.
class LayerMeter {
 public:
  LayerMeter(const ProgressSink& sink, std::string id, Step step, std::uint64_t total)
      : sink_(sink), id_(std::move(id)), step_(step), total_(total) {}
  void at(std::uint64_t current) {
    constexpr std::chrono::milliseconds kEvery{100};
    auto time = std::chrono::steady_clock::now();
    if (time - last_ < kEvery && current < total_) return;
    last_ = time;
    sink_({id_, step_, current, total_, ""});
  }

 private:
  const ProgressSink& sink_;
  std::string id_;
  Step step_;
  std::uint64_t total_;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace gantry::registry
