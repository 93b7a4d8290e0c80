#pragma once

#include "build_records.h"
#include "build_run.h"
#include "gantry/build/builder.h"
#include "layer_cache.h"
#include "session.h"

namespace gantry::build {

struct Builder::Impl {
  WorkerPool& pool;
  image::ImageStore& images;
  LayerCache cache;
  Places places;
  Workshop workshop;
  Remote* remote;
  BuildRecords records;

  using SharedSession = std::shared_ptr<Session>;
  task<> pull_images(SharedSession session, Options options, StepSink sink, Remote* from);
  task<> import_caches(SharedSession session, std::vector<std::string> references, StepSink sink, Remote* from);
  task<image::ImageInfo> run(SharedSession session, Options options, StepSink sink, Remote* from);
};

}  // namespace gantry::build
