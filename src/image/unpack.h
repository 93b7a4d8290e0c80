#pragma once

#include "archive_reader.h"
#include "gantry/image/archive.h"
#include "tar_recipe.h"
#include "tree_sink.h"

namespace gantry::image {

/// A tar from any source, into any sink. `recipe` (may be null) learns how the tar is made again; the caller finishes
/// it. Returns the number of entries.
std::uint64_t unpack_tar(TarSource& source, TreeSink& sink, const UnpackOptions& options, RecipeWriter* recipe);

}  // namespace gantry::image
