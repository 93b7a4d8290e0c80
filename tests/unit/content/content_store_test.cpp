#include "gantry/content/content_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <future>

#include "gantry/base/error.h"
#include "gantry/base/files.h"

namespace gantry::content {
namespace {

namespace fs = std::filesystem;

class ContentStoreTest : public ::testing::Test {
 protected:
  fs::path blob(const oci::Digest& digest) const { return dir_.path() / "content/sha256" / digest.hex(); }
  bool ingest_is_empty() const { return fs::is_empty(dir_.path() / "content/ingest"); }

  TemporaryDirectory dir_{fs::temp_directory_path(), "gantry-content-"};
  ContentStore store_{dir_.path() / "content"};
};

TEST_F(ContentStoreTest, KeepsBlobsByDigest) {
  auto digest = store_.write("hello");
  EXPECT_EQ(digest, oci::Digest::of("hello"));
  EXPECT_EQ(store_.write("hello"), digest);
  EXPECT_TRUE(store_.has(digest));
  EXPECT_EQ(store_.read(digest), "hello");
  EXPECT_EQ(store_.size(digest), 5u);
  EXPECT_THAT(store_.list(), ::testing::ElementsAre(digest));
  store_.remove(digest);
  store_.remove(digest);
  EXPECT_FALSE(store_.has(digest));
  EXPECT_TRUE(ingest_is_empty());
}

TEST_F(ContentStoreTest, WhatIsNotThereIsNotFound) {
  auto digest = oci::Digest::of("absent");
  for (auto action : std::vector<std::function<void()>>{[&] { store_.read(digest); }, [&] { store_.open(digest); },
                                                        [&] { store_.size(digest); }}) {
    try {
      action();
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::not_found);
    }
  }
}

TEST_F(ContentStoreTest, AWriterThatIsNotCommittedLeavesNothing) {
  {
    auto writer = store_.writer();
    writer.append("half of ");
    auto moved = std::move(writer);
    moved.append("something");
    EXPECT_FALSE(ingest_is_empty());
  }
  EXPECT_TRUE(ingest_is_empty());
  EXPECT_TRUE(store_.list().empty());
}

TEST_F(ContentStoreTest, AWrongDigestIsRefusedAndLeavesNothing) {
  {
    auto writer = store_.writer();
    writer.append("data");
    EXPECT_THROW(writer.commit(oci::Digest::of("other")), Error);
  }
  EXPECT_TRUE(ingest_is_empty());
  EXPECT_TRUE(store_.list().empty());
}

TEST_F(ContentStoreTest, DamageOnDiskIsNoticed) {
  auto digest = store_.write("precious");
  write_file(blob(digest), "PRECIOUS");
  EXPECT_THROW(store_.read(digest), Error);
}

TEST_F(ContentStoreTest, RecoverEmptiesTheIngestDirectory) {
  auto kept = store_.write("kept");
  write_file(dir_.path() / "content/ingest/0123", "half a blob");
  ContentStore again(dir_.path() / "content");
  again.recover();
  EXPECT_TRUE(ingest_is_empty());
  EXPECT_EQ(again.read(kept), "kept");
}

TEST_F(ContentStoreTest, EqualBlobsMayArriveAtTheSameTime) {
  std::vector<std::future<oci::Digest>> running;
  for (int i = 0; i < 8; ++i) running.push_back(std::async(std::launch::async, [&] { return store_.write("same"); }));
  for (auto& one : running) EXPECT_EQ(one.get(), oci::Digest::of("same"));
  EXPECT_EQ(store_.list().size(), 1u);
  EXPECT_TRUE(ingest_is_empty());
}

}  // namespace
}  // namespace gantry::content
