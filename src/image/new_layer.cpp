#include <fcntl.h>

#include <algorithm>
#include <thread>

#include "erofs_writer.h"
#include "gantry/base/files.h"
#include "image_store_impl.h"
#include "tree_writer.h"

namespace gantry::image {

ImageStore::Impl::NewLayer::NewLayer(Impl& store, std::uint64_t size) : ingest(store.layers.ingest()) {
  if (size >= kSmallestImage && store.layers.takes_images()) {
    place = open_file((ingest.path() / kImage).string(), O_WRONLY | O_CREAT | O_EXCL, 0600);
    sink = std::make_unique<ErofsWriter>(place.get());
  } else {
    auto tree = ingest.path() / kTree;
    make_directories(tree, 0755);
    place = open_file(tree.string(), O_RDONLY | O_DIRECTORY);
    crew = store.writer_crew();
    sink = std::make_unique<TreeWriter>(place.get(), crew.get());
  }
  recipe_file = open_file((ingest.path() / kRecipe).string(), O_WRONLY | O_CREAT | O_EXCL, 0600);
  recipe.emplace(recipe_file.get());
}

void ImageStore::Impl::NewLayer::publish(Impl& store, const std::string& diff_id, std::uint64_t tar_bytes,
                                         Lease& lease) {
  rows::Layer row{diff_id, sink->on_disk(), tar_bytes};
  bool remade = recipe->finish();
  recipe.reset();
  recipe_file.reset();
  sink.reset();
  place.reset();
  if (!remade) std::filesystem::remove(ingest.path() / kRecipe);
  store.publish(ingest, row, false, &lease);
}

std::shared_ptr<WriterCrew> ImageStore::Impl::writer_crew() {
  std::lock_guard lock(mutex);
  auto running = crew.lock();
  if (!running) {
    running = std::make_shared<WriterCrew>(std::clamp(std::thread::hardware_concurrency(), 2u, 16u));
    crew = running;
  }
  return running;
}

}  // namespace gantry::image
