#include <fcntl.h>

#include <exception>
#include <thread>

#include "gantry/base/fd.h"
#include "image_store_impl.h"
#include "layer_tar.h"

namespace gantry::image {

// Through a tar, as if it had been sent to another machine: the layer gets what a push would get, and no attribute of
// overlayfs' own.
std::string ImageStore::copy_layer(const std::filesystem::path& upper,
                                   const std::function<bool(const std::string&)>& skip, Lease& lease) {
  Pipe pipe = make_pipe();
  Fd directory = open_file(upper.string(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  std::exception_ptr failure;
  std::thread writer([&, out = std::move(pipe.write)]() mutable {
    try {
      write_layer_tar(
          directory.get(), [&](std::string_view piece) { write_all(out.get(), piece, "copy a layer"); }, skip);
    } catch (...) {
      failure = std::current_exception();
    }
    out.reset();
  });
  std::string diff_id;
  std::exception_ptr refused;
  try {
    diff_id = import_layer(pipe.read.get(), lease, {});
  } catch (...) {
    refused = std::current_exception();
  }
  pipe.read.reset();
  writer.join();
  // A reader that stopped is why the writer failed, unless it was the other way round: then the archive is cut off.
  if (failure && !(refused && to_error(failure).kind() == ErrorKind::unavailable)) std::rethrow_exception(failure);
  if (refused) std::rethrow_exception(refused);
  return diff_id;
}

}  // namespace gantry::image
