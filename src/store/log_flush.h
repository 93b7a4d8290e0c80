#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>

#include "gantry/base/async.h"
#include "gantry/base/fd.h"

namespace gantry::store {

/// Says how much of the write-ahead log is on the disk. Commits are numbered from 1 in the order they are written.
class LogFlush : public std::enable_shared_from_this<LogFlush> {
 public:
  /// `log` is the file that SQLite writes; it stays the same file as long as the database is open.
  explicit LogFlush(const std::filesystem::path& log);

  void written() { ++written_; }
  std::uint64_t last_written() const { return written_; }
  /// Throws when an earlier flush failed: the kernel reports a failed write only once and then takes the pages for
  /// clean, so nothing that follows can be trusted.
  void require_sound() const;
  /// Flushes unless `commit` is on the disk already. Any thread; blocking.
  void flush_to(std::uint64_t commit);
  /// The same as a task, one flush for all who wait. From one executor's thread only.
  task<> flushed_to(std::uint64_t commit, WorkerPool& pool);

 private:
  /// One flush on the pool, which goes on when those who wait for it are cancelled.
  struct Round {
    explicit Round(asio::any_io_executor executor) : done(std::move(executor)) {}
    Event done;
  };
  static task<> run_round(std::shared_ptr<LogFlush> self, WorkerPool* pool, std::shared_ptr<Round> round);

  Fd log_;
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> flushed_{0};
  std::shared_ptr<Round> round_;
  mutable std::mutex failure_mutex_;
  std::optional<Error> failure_;
};

}  // namespace gantry::store
