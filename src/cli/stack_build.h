#pragma once

#include "build.h"
#include "context.h"
#include "gantry/compose/compose.h"

namespace gantry::cli {

enum class BuildMode { missing, always, never };

/// Builds the images of the services that have a `build`, by the mode and their pull_policy, one after the other.
/// Error not_found when an image is missing and may not be built.
task<> build_images(Context& context, compose::Stack stack, BuildMode mode, Progress& progress);
/// What the compose file says about a build, as the API takes it. `image` is the first tag.
BuildOptions build_options(const compose::Service& service);
/// What it lends to it.
BuildGrants build_grants(const Context& context, const compose::Build& build);

}  // namespace gantry::cli
