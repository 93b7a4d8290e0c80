#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/build/builder.h"
#include "gantry/disk/budget.h"
#include "gantry/disk/report.h"
#include "gantry/disk/usage.h"
#include "gantry/distribution/mirror.h"
#include "gantry/engine/engine.h"

/// The disk module owns no bytes itself: it knows who does, and keeps images, build cache, logs, volumes and what the
/// registry inside has of other registries within their budgets. Images, cache and mirrored content are collected by
/// last use, step by step, and never what somebody uses; rotated logs go oldest first; volumes are never deleted, only
/// watched.
///
/// Life cycle: construct, `begin` when everything has been recovered, `close` before what it watches is closed.
namespace gantry::disk {

/// A budget that is exceeded, or nearly, and what to do.
struct Warning {
  std::string kind;
  std::string problem;
  std::string fix;
};

class Keeper {
 public:
  Keeper(engine::Engine& engine, build::Builder& builder, distribution::Distribution& registry,
         distribution::Mirror& mirror, std::filesystem::path data_dir, Budgets budgets);
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper();

  /// Starts to watch: rounds follow what grows, and the clock now and then.
  void begin(asio::any_io_executor executor);
  task<> close();

  /// Control thread; walks on the pool.
  task<Usage> measure(Parts parts);
  task<Report> report();
  /// As of the last round; nothing is measured.
  std::vector<Warning> warnings() const;

 private:
  struct Impl;
  /// Error exhausted when the volumes there are take more than their budget. Blocking, any thread.
  static void admit(Impl& impl, const volume::VolumeSpec& spec);
  std::shared_ptr<Impl> impl_;
};

}  // namespace gantry::disk
