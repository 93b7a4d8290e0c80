#include "log_flush.h"

#include <fcntl.h>
#include <unistd.h>

namespace gantry::store {

LogFlush::LogFlush(const std::filesystem::path& log) : log_(open_file(log.string(), O_RDONLY)) {
  // SQLite makes the log's directory entry durable only with the first checkpoint of whoever created it.
  auto directory = open_file(log.parent_path().string(), O_RDONLY | O_DIRECTORY);
  if (::fsync(directory.get()) != 0) throw_errno("flush directory " + log.parent_path().string());
}

void LogFlush::require_sound() const {
  std::lock_guard lock(failure_mutex_);
  if (failure_) throw *failure_;
}

void LogFlush::flush_to(std::uint64_t commit) {
  require_sound();
  if (flushed_ >= commit) return;
  auto covered = written_.load();
  if (::fdatasync(log_.get()) != 0) {
    int code = errno;
    std::lock_guard lock(failure_mutex_);
    failure_ = Error(ErrorKind::internal, system_error(code, "store: flush the write-ahead log to the disk").message(),
                     "check the disk, then restart gantryd");
    throw *failure_;
  }
  auto seen = flushed_.load();
  while (seen < covered && !flushed_.compare_exchange_weak(seen, covered)) continue;
}

task<> LogFlush::run_round(std::shared_ptr<LogFlush> self, WorkerPool* pool, std::shared_ptr<Round> round) {
  try {
    auto flush = [self] { self->flush_to(self->last_written()); };
    co_await pool->run(flush);
  } catch (...) {
    // Kept in `failure_`, where everybody who waits finds it.
  }
  self->round_.reset();
  round->done.set();
}

task<> LogFlush::flushed_to(std::uint64_t commit, WorkerPool& pool) {
  auto self = shared_from_this();
  require_sound();
  while (flushed_ < commit) {
    if (!round_) {
      auto executor = co_await asio::this_coro::executor;
      round_ = std::make_shared<Round>(executor);
      asio::co_spawn(executor, run_round(self, &pool, round_), asio::detached);
    }
    auto round = round_;
    co_await round->done.wait();
    require_sound();
  }
}

}  // namespace gantry::store
