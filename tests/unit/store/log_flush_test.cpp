#include "log_flush.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/store/store.h"

namespace {
using namespace gantry;
using namespace gantry::store;

struct LogFlushTest : testing::Test {
  void run(std::vector<task<>> work) {
    for (auto& one : work)
      asio::co_spawn(context, std::move(one), [this](std::exception_ptr ended) { ++(ended ? failed : succeeded); });
    context.run();
    context.restart();
  }

  TemporaryDirectory directory{std::filesystem::temp_directory_path(), "gantry-flush-"};
  asio::io_context context;
  WorkerPool pool{2};
  int succeeded = 0;
  int failed = 0;
};

task<> write_one(Database* database, WorkerPool* pool, int number) {
  database->write([number](Transaction& t) { t.run("INSERT INTO t VALUES(?)", {number}); });
  co_await database->durable(*pool);
}

TEST_F(LogFlushTest, ManyWaitTogether) {
  Schema schema{"test", {"CREATE TABLE t(v INTEGER PRIMARY KEY) STRICT"}};
  auto file = directory.path() / "gantry.db";
  {
    Database database(file, {schema});
    std::vector<task<>> work;
    for (int i = 0; i < 2000; ++i) work.push_back(write_one(&database, &pool, i));
    run(std::move(work));
    EXPECT_EQ(succeeded, 2000);
    auto count = database.transaction([](Transaction& t) { return t.number("SELECT count(*) FROM t"); });
    EXPECT_EQ(count, 2000);
  }
  Database again(file, {schema});
  auto count = again.transaction([](Transaction& t) { return t.number("SELECT count(*) FROM t"); });
  EXPECT_EQ(count, 2000);
}

TEST_F(LogFlushTest, AWriteThatFailsLeavesTheOthersAlone) {
  Schema schema{"test", {"CREATE TABLE t(v INTEGER PRIMARY KEY) STRICT"}};
  Database database(directory.path() / "gantry.db", {schema});
  std::vector<task<>> work;
  for (int i = 0; i < 10; ++i) work.push_back(write_one(&database, &pool, i % 5));
  run(std::move(work));
  EXPECT_EQ(succeeded, 5);
  EXPECT_EQ(failed, 5);
}

TEST_F(LogFlushTest, AReadSeesWhatIsNotDurableYet) {
  Schema schema{"test", {"CREATE TABLE t(v INTEGER PRIMARY KEY) STRICT"}};
  Database database(directory.path() / "gantry.db", {schema});
  database.write([](Transaction& t) { t.run("INSERT INTO t VALUES(1)"); });
  auto count = database.transaction([](Transaction& t) { return t.number("SELECT count(*) FROM t"); });
  EXPECT_EQ(count, 1);
}

task<> wait_for(std::shared_ptr<LogFlush> log, WorkerPool* pool) {
  log->written();
  co_await log->flushed_to(log->last_written(), *pool);
}

// A pipe cannot be flushed, as a broken disk cannot.
TEST_F(LogFlushTest, AfterAFailedFlushNothingIsTrusted) {
  auto pipe = directory.path() / "log";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  auto reader = open_file(pipe.string(), O_RDWR);
  auto log = std::make_shared<LogFlush>(pipe);
  std::vector<task<>> work;
  for (int i = 0; i < 3; ++i) work.push_back(wait_for(log, &pool));
  run(std::move(work));
  EXPECT_EQ(failed, 3);
  EXPECT_THROW(log->require_sound(), Error);
  EXPECT_THROW(log->flush_to(1), Error);
}

}  // namespace
