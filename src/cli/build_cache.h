#pragma once

#include <string>

#include "build.h"

namespace gantry::cli {

/// "--cache-from" and "--cache-to": a reference alone, "type=registry,ref=R", "type=local,src=DIR" or "dest=DIR",
/// "type=inline".
struct BuildCache {
  enum class Kind { registry, local, inline_ };
  Kind kind = Kind::registry;
  std::string place;  ///< reference or directory
};
BuildCache parse_build_cache(const std::string& text, const std::string& option);

/// Makes a cache known to a build that is about to run. Returns what is to be removed afterwards; may be empty.
task<std::string> use_cache(Context& context, BuildCache cache, BuildOptions* options);
/// The name under which a build is to leave its cache.
std::string cache_name(const BuildCache& cache);
/// Brings it where it belongs.
task<> keep_cache(Context& context, BuildCache cache, std::string name, Progress& progress);
/// An image of ours that nobody needs any more; failures do not matter.
task<> drop_image(Context& context, std::string reference);

}  // namespace gantry::cli
