#include "checkpointer.h"

#include <sqlite3.h>

namespace gantry::store {

Checkpointer::Checkpointer(std::filesystem::path file) : file_(std::move(file)) {}
Checkpointer::~Checkpointer() { sqlite3_close(handle_); }

void Checkpointer::start(asio::any_io_executor executor, WorkerPool& pool) {
  if (std::exchange(running_, true)) return;
  asio::co_spawn(executor, run(shared_from_this(), &pool), asio::detached);
}

task<> Checkpointer::run(std::shared_ptr<Checkpointer> self, WorkerPool* pool) {
  auto pass = [self] { self->pass(); };
  co_await pool->run(pass);
  self->running_ = false;
}

void Checkpointer::pass() {
  if (handle_ == nullptr) {
    int opened = sqlite3_open_v2(file_.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    if (opened != SQLITE_OK) return;
    int keep = 1;  // the log stays when the database is closed
    sqlite3_file_control(handle_, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    sqlite3_exec(handle_, "PRAGMA cache_size=-64", nullptr, nullptr, nullptr);
    sqlite3_exec(handle_, "PRAGMA synchronous=NORMAL", nullptr, nullptr, nullptr);
  }
  sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

}  // namespace gantry::store
