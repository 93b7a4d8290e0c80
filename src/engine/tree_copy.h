#pragma once

#include <sys/stat.h>

#include <filesystem>

/// Copying directories in overlayfs form. Blocking; nothing here follows symbolic links.
namespace gantry::engine {

bool is_whiteout(const struct stat& status);
bool is_opaque(const std::filesystem::path& directory);

/// Removes what is in `directory`, not itself.
void clear_directory(const std::filesystem::path& directory);

/// Puts one layer's directory onto `target`: whiteouts remove, opaque directories replace, the rest is copied with
/// owner, mode, times and extended attributes.
void copy_layer_directory(const std::filesystem::path& source, const std::filesystem::path& target);

}  // namespace gantry::engine
