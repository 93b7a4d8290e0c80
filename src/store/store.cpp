#include "gantry/store/store.h"

#include <sqlite3.h>

#include <unordered_map>

#include "checkpointer.h"
#include "gantry/base/error.h"
#include "gantry/base/log.h"
#include "log_flush.h"

namespace gantry::store {
namespace {

[[noreturn]] void fail(sqlite3* handle, std::string_view what) {
  int code = sqlite3_errcode(handle);
  ErrorKind kind = ErrorKind::internal;
  std::string fix;
  if (code == SQLITE_CONSTRAINT) kind = ErrorKind::conflict;
  if (code == SQLITE_FULL || code == SQLITE_NOMEM) {
    kind = ErrorKind::exhausted;
    fix = "free disk space, for example with 'gantry image rm', then try again";
  }
  if (code == SQLITE_BUSY) {
    kind = ErrorKind::conflict;
    fix = "another gantryd may be using this data directory; give each its own --data-dir";
  }
  throw Error(kind, "store: " + std::string(what) + ": " + sqlite3_errmsg(handle), fix);
}

// The log is moved into the database at kLogLimit pages by whoever writes then; much earlier by a thread apart.
constexpr int kLogLimit = 1000;
constexpr int kTidyAt = 400;
constexpr std::uint64_t kReserve = kLogLimit * 4096;

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

Statement prepare(sqlite3* handle, std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v3(handle, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw, nullptr) !=
      SQLITE_OK)
    fail(handle, sql);
  return Statement(raw);
}

// A statement goes back to the cache reset, also when a row callback throws.
class Running {
 public:
  explicit Running(sqlite3_stmt* statement) : statement_(statement) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

 private:
  sqlite3_stmt* statement_;
};

}  // namespace

struct Database::Cache {
  std::unordered_map<std::string, Statement> statements;

  sqlite3_stmt* get(sqlite3* handle, std::string_view sql) {
    auto [entry, fresh] = statements.try_emplace(std::string(sql));
    if (fresh) {
      try {
        entry->second = prepare(handle, sql);
      } catch (...) {
        statements.erase(entry);
        throw;
      }
    }
    return entry->second.get();
  }
};

Database::Database(const std::filesystem::path& file, const std::vector<Schema>& schemas)
    : cache_(std::make_unique<Cache>()) {
  auto execute = [this](const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail(handle_, sql);
  };
  try {
    if (sqlite3_open_v2(file.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        nullptr) != SQLITE_OK)
      fail(handle_, "open " + file.string());
    sqlite3_busy_timeout(handle_, 2000);
    execute("PRAGMA journal_mode=WAL");
    execute("PRAGMA synchronous=NORMAL");  // commits are flushed by LogFlush
    execute("PRAGMA foreign_keys=ON");
    execute("PRAGMA cache_size=-1024");
    execute("CREATE TABLE IF NOT EXISTS schema_version(module TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT");
    log_ = std::make_shared<LogFlush>(file.string() + "-wal");
    checkpointer_ = std::make_shared<Checkpointer>(file);
    sqlite3_wal_hook(handle_, committed, this);
    for (const auto& schema : schemas) migrate(schema);
    reserve(file);
  } catch (...) {
    cache_.reset();
    sqlite3_close(handle_);
    throw;
  }
}

Database::~Database() {
  cache_.reset();
  sqlite3_close(handle_);
}

void Database::migrate(const Schema& schema) {
  auto have = transaction([&](Transaction& t) {
    return t.number("SELECT version FROM schema_version WHERE module=?", {schema.module}).value_or(0);
  });
  auto known = static_cast<std::int64_t>(schema.migrations.size());
  if (have > known)
    throw Error(ErrorKind::unsupported,
                "store: the database's " + schema.module + " tables are version " + std::to_string(have) +
                    ", this gantryd knows " + std::to_string(known),
                "install the Gantry that wrote this data directory, or a newer one");
  for (auto version = have; version < known; ++version) {
    transaction([&](Transaction& t) {
      const auto& script = schema.migrations[static_cast<std::size_t>(version)];
      if (sqlite3_exec(handle_, script.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        fail(handle_, "migrate " + schema.module + " to version " + std::to_string(version + 1));
      t.run("INSERT OR REPLACE INTO schema_version VALUES(?, ?)", {schema.module, version + 1});
    });
  }
}

void Database::reserve(const std::filesystem::path& file) {
  int keep = 1;  // the log stays when the database is closed
  sqlite3_file_control(handle_, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
  std::error_code missing;
  auto log_size = std::filesystem::file_size(file.string() + "-wal", missing);
  if (!missing && log_size >= kReserve) return;
  // Writing this much once makes the log that long, and deleting it leaves as many free pages in the database.
  transaction([](Transaction& t) {
    t.run("CREATE TABLE IF NOT EXISTS reserve(room BLOB) STRICT");
    t.run("INSERT INTO reserve VALUES(zeroblob(?))", {static_cast<std::int64_t>(kReserve)});
  });
  transaction([](Transaction& t) { t.run("DELETE FROM reserve"); });
  sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_RESTART, nullptr, nullptr);
}

int Database::committed(void* self, sqlite3*, const char*, int pages) {
  auto* database = static_cast<Database*>(self);
  database->log_pages_ = pages;
  database->log_->written();
  return SQLITE_OK;
}

void Database::begin() {
  log_->require_sound();
  sqlite3_stmt* statement = cache_->get(handle_, "BEGIN IMMEDIATE");
  Running running(statement);
  if (sqlite3_step(statement) != SQLITE_DONE) fail(handle_, "begin");
}

std::uint64_t Database::commit() {
  auto before = log_->last_written();
  sqlite3_stmt* statement = cache_->get(handle_, "COMMIT");
  {
    Running running(statement);
    if (sqlite3_step(statement) != SQLITE_DONE) fail(handle_, "commit");
  }
  // What cannot be moved now (a full disk) stays in the log, and the next commit tries again.
  if (log_pages_ >= kLogLimit) sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  // Who only reads waits for nobody's flush.
  auto after = log_->last_written();
  return after == before ? 0 : after;
}

void Database::flush(std::uint64_t number) { log_->flush_to(number); }

task<> Database::durable(WorkerPool& pool) {
  auto number = log_->last_written();
  if (log_pages_ >= kTidyAt) {
    auto executor = co_await asio::this_coro::executor;
    checkpointer_->start(executor, pool);
  }
  co_await log_->flushed_to(number, pool);
}

void Database::rollback() noexcept {
  // SQLite has already rolled back by itself after some failures (disk full): that is not another error.
  if (sqlite3_get_autocommit(handle_) == 0) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

std::int64_t Row::number(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Row::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return data == nullptr ? std::string()
                         : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

bool Row::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

void Transaction::query(std::string_view sql, const std::vector<Value>& values,
                        const std::function<void(const Row&)>& each) {
  sqlite3_stmt* statement = database_.cache_->get(database_.handle_, sql);
  if (sqlite3_stmt_busy(statement) != 0)
    throw Error(ErrorKind::internal, "store: the same statement is already running: " + std::string(sql));
  Running running(statement);
  int index = 0;
  for (const auto& value : values) {
    ++index;
    int bound = SQLITE_OK;
    switch (value.kind_) {
      case Value::Kind::null:
        bound = sqlite3_bind_null(statement, index);
        break;
      case Value::Kind::number:
        bound = sqlite3_bind_int64(statement, index, value.number_);
        break;
      case Value::Kind::text:
        bound =
            sqlite3_bind_text64(statement, index, value.text_.data(), value.text_.size(), SQLITE_STATIC, SQLITE_UTF8);
        break;
    }
    if (bound != SQLITE_OK) fail(database_.handle_, sql);
  }
  for (;;) {
    int step = sqlite3_step(statement);
    if (step == SQLITE_DONE) return;
    if (step != SQLITE_ROW) fail(database_.handle_, sql);
    if (each) each(Row(statement));
  }
}

int Transaction::run(std::string_view sql, const std::vector<Value>& values) {
  query(sql, values, nullptr);
  return sqlite3_changes(database_.handle_);
}

std::optional<std::string> Transaction::text(std::string_view sql, const std::vector<Value>& values) {
  std::optional<std::string> out;
  query(sql, values, [&](const Row& row) {
    if (!out && !row.is_null(0)) out = row.text(0);
  });
  return out;
}

std::optional<std::int64_t> Transaction::number(std::string_view sql, const std::vector<Value>& values) {
  std::optional<std::int64_t> out;
  query(sql, values, [&](const Row& row) {
    if (!out && !row.is_null(0)) out = row.number(0);
  });
  return out;
}

}  // namespace gantry::store
