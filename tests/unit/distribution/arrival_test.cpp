#include "arrival.h"

#include <thread>

#include "mirror_fixture.h"

namespace gantry::distribution {
namespace {

struct Arriving : ::testing::Test {
  TemporaryDirectory dir{std::filesystem::temp_directory_path(), "gantry-arrival-"};
  std::filesystem::path file = dir.path() / "blob";
  std::shared_ptr<Arrival> arrival(std::uint64_t size) { return std::make_shared<Arrival>(file, size); }
};

std::string read(const std::shared_ptr<Arrival::Reader>& reader, std::uint64_t first, std::uint64_t size) {
  std::string out;
  reader->read(first, size, [&](std::string_view piece) { out += piece; });
  return out;
}

TEST_F(Arriving, TheLastByteWaitsForThePublication) {
  auto blob = arrival(10);
  auto reader = blob->join();
  blob->append("0123456789");
  EXPECT_EQ(read(reader, 2, 7), "2345678");
  std::atomic<bool> published = false;
  std::thread late([&] {
    EXPECT_EQ(read(reader, 0, 10), "0123456789");
    EXPECT_TRUE(published);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  published = true;
  blob->publish();
  late.join();
}

TEST_F(Arriving, AFailureReachesWhoeverWaits) {
  auto blob = arrival(10);
  auto reader = blob->join();
  blob->append("01234");
  blob->fail(std::make_exception_ptr(Error(ErrorKind::unavailable, "cut off")));
  EXPECT_EQ(read(reader, 0, 5), "01234");
  EXPECT_THROW(read(reader, 0, 10), Error);
  EXPECT_THROW(reader->wait_for_begin(), Error);
  EXPECT_EQ(blob->join(), nullptr);
}

TEST_F(Arriving, NobodyLeftEndsItAndItsFileGoes) {
  {
    auto blob = arrival(10);
    blob->join().reset();
    try {
      blob->append("0");
      FAIL() << "it went on";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::cancelled);
    }
    EXPECT_EQ(blob->join(), nullptr);
    EXPECT_TRUE(std::filesystem::exists(file));
  }
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(Arriving, NothingIsComplete) {
  auto blob = arrival(0);
  auto reader = blob->join();
  blob->publish();
  reader->wait_for_begin();
  EXPECT_EQ(read(reader, 0, 0), "");
}

}  // namespace
}  // namespace gantry::distribution
