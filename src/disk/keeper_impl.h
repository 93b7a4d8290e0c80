#pragma once

#include <atomic>
#include <map>
#include <mutex>

#include "collection.h"
#include "gantry/disk/keeper.h"

namespace gantry::disk {

struct Keeper::Impl : std::enable_shared_from_this<Impl> {
  Impl(engine::Engine& engine_in, build::Builder& builder_in, distribution::Distribution& registry_in,
       distribution::Mirror& mirror_in, std::filesystem::path data_dir_in, Budgets budgets_in)
      : engine(engine_in),
        builder(builder_in),
        registry(registry_in),
        mirror(mirror_in),
        data_dir(std::move(data_dir_in)),
        budgets(budgets_in) {}

  // measuring, in keeper.cpp
  task<Usage> measure(Parts parts);
  task<> measure_containers(Usage* out);
  task<> measure_volumes(Usage* out);
  std::uint64_t volume_bytes();

  // rounds, in rounds.cpp
  void poke();
  task<> watch();
  /// Returns whether something was too fresh to be collected.
  task<bool> round(bool whole);
  task<bool> collect_images(FileSystem file_system);
  task<> collect_cache(FileSystem file_system);
  /// Returns whether something was too fresh.
  task<bool> collect_mirror(FileSystem file_system);
  task<> trim_logs(FileSystem file_system);
  task<> watch_volumes(FileSystem file_system);
  /// Tells the first time, and again after it has been well meanwhile.
  void warn(const std::string& kind, bool over, std::string problem, std::string fix);
  void tell(std::string type, std::string action, std::string id, std::string name);

  engine::Engine& engine;
  build::Builder& builder;
  distribution::Distribution& registry;
  distribution::Mirror& mirror;
  std::filesystem::path data_dir;
  Budgets budgets;
  std::optional<Scope> scope;
  std::optional<asio::steady_timer> timer;
  bool poked = false;
  std::atomic<std::uint64_t> volumes_measured = 0;
  std::map<std::string, Warning> warned;
};

}  // namespace gantry::disk
