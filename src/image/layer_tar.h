#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "gantry/image/disk.h"
#include "gantry/oci/digest.h"

/// The canonical tar of a layer directory: the same content gives the same bytes, on any machine, at any time, so that
/// the diff id can be computed without storing the tar and a push can make the bytes again. Format, version 1:
///
///  - Entries in the order of a depth-first walk, the names of each directory sorted by their bytes; a directory before
///    what is in it. Paths are relative ("usr/bin/true"), directories end in '/'.
///  - Headers as `tar_header` writes them: ustar, PAX only where needed; whole seconds (rounded down), numeric owners,
///    empty user and group names.
///  - The root itself ("./") only when it is not 0755 owned by root without attributes, and with time 0: its time
///  changes
///    with every file made in it, and means nothing.
///  - Of several names of one file, the first in walk order has the content, the others are hard links ('1') to it.
///  - An overlayfs whiteout `x` is the empty file `.wh.x` (mode 0, time 0) in x's place; an opaque directory has the
///    empty file `.wh..wh..opq` as its first entry (OCI image specification, layer.md).
///  - Extended attributes user.*, security.capability and POSIX access lists; no others. No sockets.
///  - Holes are written as zeros. Two blocks of zeros end it; no padding to a record.
namespace gantry::image {

struct LayerTar {
  oci::Digest digest;
  std::uint64_t bytes = 0;    ///< length of the tar
  std::uint64_t on_disk = 0;  ///< bytes the files occupy, each counted once
};

/// Walks `directory` (an open directory in overlayfs form that nobody changes meanwhile) and hands the tar to `sink` in
/// pieces; an empty sink only hashes. Error invalid: a file whose name begins with ".wh.", which a layer cannot have.
/// `skip`: paths (relative) to leave out.
LayerTar write_layer_tar(int directory, const std::function<void(std::string_view)>& sink,
                         const std::function<bool(const std::string&)>& skip = {});

/// Makes an upper directory fit to be kept as a layer: removes overlayfs' private attributes (origin, impure, nlink,
/// ...) except the opaque mark, and sockets. Error unsupported when a file carries redirect or metacopy: such a layer
/// would be incomplete without the ones it was made on. Mounts for builds must say redirect_dir=off,metacopy=off.
void clean_upper(int directory);

}  // namespace gantry::image
