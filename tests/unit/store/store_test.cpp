#include "gantry/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gantry/base/error.h"
#include "gantry/base/files.h"

namespace {
using namespace gantry;
using namespace gantry::store;

struct StoreTest : testing::Test {
  TemporaryDirectory directory{std::filesystem::temp_directory_path(), "gantry-store-"};
  std::filesystem::path file = directory.path() / "gantry.db";
  Schema schema{"test", {"CREATE TABLE t(k TEXT PRIMARY KEY, v INTEGER) STRICT"}};
};

TEST_F(StoreTest, KeepsWhatWasCommittedAndNothingElse) {
  {
    Database database(file, {schema});
    database.transaction([](Transaction& t) { t.run("INSERT INTO t VALUES(?, ?)", {"a", 1}); });
    EXPECT_THROW(database.transaction([](Transaction& t) {
      t.run("INSERT INTO t VALUES(?, ?)", {"b", 2});
      throw Error(ErrorKind::internal, "stop here");
    }),
                 Error);
  }
  Database again(file, {schema});
  again.transaction([](Transaction& t) {
    EXPECT_EQ(t.number("SELECT v FROM t WHERE k=?", {"a"}), 1);
    EXPECT_EQ(t.number("SELECT v FROM t WHERE k=?", {"b"}), std::nullopt);
  });
}

TEST_F(StoreTest, ReservesRoomSoThatCommitsNeedNoNewBlocks) {
  Database database(file, {schema});
  auto log = file.string() + "-wal";
  auto before = std::filesystem::file_size(log) + std::filesystem::file_size(file);
  for (int i = 0; i < 2000; ++i)
    database.transaction([i](Transaction& t) {
      t.run("INSERT OR REPLACE INTO t VALUES(?, ?)", {std::to_string(i % 50), i});
    });
  EXPECT_EQ(std::filesystem::file_size(log) + std::filesystem::file_size(file), before);
}

TEST_F(StoreTest, ACollisionIsAConflict) {
  Database database(file, {schema});
  auto insert = [](Transaction& t) { t.run("INSERT INTO t VALUES('a', NULL)"); };
  database.transaction(insert);
  try {
    database.transaction(insert);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
  }
}

TEST_F(StoreTest, MigratesForwardAndRefusesANewerDatabase) {
  { Database database(file, {schema}); }
  auto newer = schema;
  newer.migrations.push_back("ALTER TABLE t ADD COLUMN w TEXT");
  { Database database(file, {newer}); }
  EXPECT_THROW(Database(file, {schema}), Error);
}

TEST_F(StoreTest, AFailedMigrationLeavesTheOldVersion) {
  auto broken = schema;
  broken.migrations.push_back("ALTER TABLE t ADD COLUMN w TEXT; nonsense");
  EXPECT_THROW(Database(file, {broken}), Error);
  Database database(file, {schema});
}

}  // namespace
