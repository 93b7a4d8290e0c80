#pragma once

#include "archive_reader.h"
#include "gantry/image/archive.h"
#include "tar_recipe.h"
#include "tree_sink.h"

namespace gantry::image {

/// The public function, and `recipe` (may be null) learns how the tar is made again. The caller finishes it.
Unpacked unpack_archive(int fd, int directory, const UnpackOptions& options,
                        const std::function<void(std::uint64_t)>& progress, RecipeWriter* recipe);

/// A tar from any source, into any sink. `place`: a descriptor on the file system that it fills. Returns the number of
/// entries.
std::uint64_t unpack_tar(TarSource& source, TreeSink& sink, int place, const UnpackOptions& options,
                         RecipeWriter* recipe);

}  // namespace gantry::image
