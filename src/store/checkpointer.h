#pragma once

#include <filesystem>
#include <memory>

#include "gantry/base/async.h"

struct sqlite3;

namespace gantry::store {

/// Moves the log into the database file through a connection of its own, so that nobody who writes waits for it.
class Checkpointer : public std::enable_shared_from_this<Checkpointer> {
 public:
  explicit Checkpointer(std::filesystem::path file);
  ~Checkpointer();
  /// Starts a pass on `pool` unless one is running. From one executor's thread only. A pass that fails is left to the
  /// writer, which makes one itself when the log has grown too long.
  void start(asio::any_io_executor executor, WorkerPool& pool);

 private:
  static task<> run(std::shared_ptr<Checkpointer> self, WorkerPool* pool);
  void pass();

  std::filesystem::path file_;
  sqlite3* handle_ = nullptr;
  bool running_ = false;
};

}  // namespace gantry::store
