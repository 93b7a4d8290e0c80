#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/base/async.h"

struct sqlite3;
struct sqlite3_stmt;

/// The store module owns the one SQLite database of a data directory: WAL, foreign keys on, flushed by ourselves.
/// What must survive is written here, in one transaction, before it is acted upon.
namespace gantry::store {

/// A module's tables: version 1 first. Migrations only grow; a database that is newer than the program is refused.
struct Schema {
  std::string module;                   ///< "engine", "image", ...
  std::vector<std::string> migrations;  ///< SQL scripts; index 0 makes version 1
};

class Row;
class Transaction;
class LogFlush;
class Checkpointer;

/// Thread-safe: one connection behind one mutex, because SQLite has one writer anyway and transactions here last
/// microseconds. (The mutex is the exception to "no locks": blocking modules run on pool threads.)
class Database {
 public:
  /// Opens or creates; applies the migrations of all schemas. Throws Error.
  Database(const std::filesystem::path& file, const std::vector<Schema>& schemas);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  /// Runs `body` in one IMMEDIATE transaction: committed (durably) when it returns, rolled back when it throws.
  /// Not to be nested. Returns what `body` returns.
  template <class F>
  auto transaction(F&& body) -> std::invoke_result_t<F, Transaction&>;

  /// The same, but not durable yet when it returns: everybody sees it, a crash of the process keeps it, a crash of the
  /// machine may lose it, until `durable`, or the next `transaction` with a change, has returned. Never lost out of
  /// order: what was written later is durable only if this is. Microseconds, since it waits for no disk; made for the
  /// control thread.
  template <class F>
  auto write(F&& body) -> std::invoke_result_t<F, Transaction&>;
  /// Until everything written before this call is durable. Many who wait at once share one flush of the disk, which
  /// runs on `pool`. Control thread only. Error internal when the disk fails; the database refuses all work from then
  /// on, because nobody knows any more what it holds.
  task<> durable(WorkerPool& pool);

 private:
  friend class Transaction;
  /// Number of the commit, for LogFlush; 0 without a change.
  template <class F>
  auto commit_one(F&& body, std::uint64_t* number) -> std::invoke_result_t<F, Transaction&>;
  void begin();
  std::uint64_t commit();
  void rollback() noexcept;
  void flush(std::uint64_t number);
  void migrate(const Schema& schema);
  /// Makes room on the disk that commits use over and over: what happens is recorded even when the disk is full.
  void reserve(const std::filesystem::path& file);
  static int committed(void* self, sqlite3* handle, const char* name, int pages);

  sqlite3* handle_ = nullptr;
  std::mutex mutex_;
  struct Cache;
  std::unique_ptr<Cache> cache_;  ///< prepared statements by their text
  std::shared_ptr<LogFlush> log_;
  std::shared_ptr<Checkpointer> checkpointer_;
  std::atomic<int> log_pages_{0};
};

/// What may be bound and read: integers, text, and NULL through std::optional.
class Value {
 public:
  Value(std::int64_t number) : kind_(Kind::number), number_(number) {}
  Value(int number) : Value(static_cast<std::int64_t>(number)) {}
  Value(std::uint64_t number) : Value(static_cast<std::int64_t>(number)) {}
  Value(bool flag) : Value(static_cast<std::int64_t>(flag)) {}
  Value(std::string text) : kind_(Kind::text), text_(std::move(text)) {}
  Value(std::string_view text) : Value(std::string(text)) {}
  Value(const char* text) : Value(std::string(text)) {}
  Value(std::nullopt_t) : kind_(Kind::null) {}
  template <class T>
  Value(const std::optional<T>& value) : Value(value ? Value(*value) : Value(std::nullopt)) {}

 private:
  friend class Transaction;
  enum class Kind { null, number, text };
  Kind kind_;
  std::int64_t number_ = 0;
  std::string text_;
};

/// One row of a result; valid only inside the callback it is given to. Columns count from 0.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  std::int64_t number(int column) const;
  std::string text(int column) const;
  bool is_null(int column) const;

 private:
  sqlite3_stmt* statement_;
};

class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) {}
  /// Runs one statement; returns the number of changed rows. A UNIQUE or FOREIGN KEY violation is an Error (conflict).
  int run(std::string_view sql, const std::vector<Value>& values = {});
  /// Calls `each` for every row.
  void query(std::string_view sql, const std::vector<Value>& values, const std::function<void(const Row&)>& each);
  /// The first column of the first row.
  std::optional<std::string> text(std::string_view sql, const std::vector<Value>& values = {});
  std::optional<std::int64_t> number(std::string_view sql, const std::vector<Value>& values = {});

 private:
  Database& database_;
};

template <class F>
auto Database::commit_one(F&& body, std::uint64_t* number) -> std::invoke_result_t<F, Transaction&> {
  std::lock_guard lock(mutex_);
  begin();
  Transaction transaction(*this);
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F, Transaction&>>) {
      body(transaction);
      *number = commit();
    } else {
      auto result = body(transaction);
      *number = commit();
      return result;
    }
  } catch (...) {
    rollback();
    throw;
  }
}

template <class F>
auto Database::transaction(F&& body) -> std::invoke_result_t<F, Transaction&> {
  std::uint64_t number = 0;
  if constexpr (std::is_void_v<std::invoke_result_t<F, Transaction&>>) {
    commit_one(std::forward<F>(body), &number);
    flush(number);
  } else {
    auto result = commit_one(std::forward<F>(body), &number);
    flush(number);
    return result;
  }
}

template <class F>
auto Database::write(F&& body) -> std::invoke_result_t<F, Transaction&> {
  std::uint64_t number = 0;
  return commit_one(std::forward<F>(body), &number);
}

}  // namespace gantry::store
