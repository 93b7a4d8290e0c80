#pragma once

#include "archive_reader.h"
#include "gantry/image/archive.h"
#include "tar_recipe.h"
#include "writer_crew.h"

namespace gantry::image {

/// The public function, and `recipe` (may be null) learns how the tar is made again. The caller finishes it.
Unpacked unpack_archive(int fd, int directory, const UnpackOptions& options,
                        const std::function<void(std::uint64_t)>& progress, RecipeWriter* recipe);

struct UnpackedFiles {
  std::uint64_t entries = 0;
  std::uint64_t on_disk = 0;  ///< bytes that the files occupy
};

/// A tar from any source. `crew` (may be null) makes the small files.
UnpackedFiles unpack_tar(TarSource& source, int directory, const UnpackOptions& options, RecipeWriter* recipe,
                         WriterCrew* crew);

}  // namespace gantry::image
