#include "gantry/runtime/log_file.h"

#include <gtest/gtest.h>

#include <thread>

#include "gantry/base/files.h"
#include "gantry/runtime/log_record.h"

namespace gantry::runtime {
namespace {

namespace fs = std::filesystem;

std::string record(const std::string& data, bool partial = false, int stream = 1) {
  RecordHeader header;
  header.time = 5;
  header.length = static_cast<std::uint32_t>(data.size());
  header.stream = static_cast<std::uint8_t>(stream);
  header.flags = partial ? kFlagPartial : 0;
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) + data;
}

class LogFile : public testing::Test {
 protected:
  void put(const std::string& name, const std::string& bytes) { write_file(directory_.path() / name, bytes); }
  void append(const std::string& bytes) {
    auto path = directory_.path() / "log";
    put("log", read_file_if_exists(path).value_or("") + bytes);
  }
  static std::string rest(LogReader& reader) {
    std::string text;
    while (auto entry = reader.next()) text += entry->data;
    return text;
  }
  TemporaryDirectory directory_{"/tmp", "gantry-log-"};
};

TEST_F(LogFile, NothingYet) {
  LogReader reader(directory_.path());
  EXPECT_FALSE(reader.next());
  append(record("a\n"));
  EXPECT_EQ(rest(reader), "a\n");
}

TEST_F(LogFile, EntryIsComplete) {
  append(record("oops\n", true, 2));
  LogReader reader(directory_.path());
  auto entry = reader.next().value();
  EXPECT_EQ(entry.stream, StdStream::err);
  EXPECT_TRUE(entry.partial);
  EXPECT_EQ(entry.time, Timestamp(Duration(5)));
}

TEST_F(LogFile, OldestFirst) {
  put("log.2", record("1\n"));
  put("log.1", record("2\n"));
  put("log", record("3\n"));
  LogReader reader(directory_.path());
  EXPECT_EQ(rest(reader), "1\n2\n3\n");
}

TEST_F(LogFile, TornRecordWaitsForItsEnd) {
  auto whole = record("hello\n");
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    put("log", record("a\n") + whole.substr(0, cut));
    LogReader reader(directory_.path());
    EXPECT_EQ(rest(reader), "a\n") << cut;
    append(whole.substr(cut));
    EXPECT_EQ(rest(reader), "hello\n") << cut;
  }
}

TEST_F(LogFile, NothingTwiceAndNothingLostWhileNamesAreShifted) {
  constexpr int kFiles = 200;
  auto name = [this](int number) {
    return directory_.path() / (number == 0 ? "log" : "log." + std::to_string(number));
  };
  std::string written;
  for (int i = 0; i < kFiles; ++i) written += std::to_string(i) + "\n";
  put("log", record("0\n"));
  std::jthread shim([&] {
    for (int i = 1; i < kFiles; ++i) {
      std::error_code none;
      for (int number = i; number >= 1; --number) fs::rename(name(number - 1), name(number), none);
      put("log", record(std::to_string(i) + "\n"));
    }
  });
  LogReader reader(directory_.path());
  std::string read;
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(45);
  while (read.size() < written.size() && std::chrono::steady_clock::now() < end) read += rest(reader);
  shim.join();
  EXPECT_EQ(read + rest(reader), written);
}

TEST_F(LogFile, DamageIsSkipped) {
  put("log", record("a\n") + std::string(1000, 'G') + record("b\n") + std::string("GLOG") + std::string(40, '\xff') +
                 record("c\n"));
  LogReader reader(directory_.path());
  EXPECT_EQ(rest(reader), "a\nb\nc\n");
}

TEST_F(LogFile, TornRecordOfAKilledShimIsSkippedWhenTheLogGoesOn) {
  put("log", record("a\n") + record("lost line\n").substr(0, 24) + record("b\n") + record("c\n"));
  LogReader reader(directory_.path());
  auto text = rest(reader);
  EXPECT_TRUE(text.starts_with("a\n"));
  EXPECT_TRUE(text.ends_with("c\n"));
}

TEST_F(LogFile, GoesOnAcrossARotation) {
  append(record("1\n"));
  LogReader reader(directory_.path());
  EXPECT_EQ(rest(reader), "1\n");
  append(record("2\n"));
  fs::rename(directory_.path() / "log", directory_.path() / "log.1");
  put("log", record("3\n"));
  EXPECT_EQ(rest(reader), "2\n3\n");
  fs::rename(directory_.path() / "log.1", directory_.path() / "log.2");
  fs::rename(directory_.path() / "log", directory_.path() / "log.1");
  EXPECT_EQ(rest(reader), "");
  put("log", record("4\n"));
  EXPECT_EQ(rest(reader), "4\n");
}

TEST_F(LogFile, OvertakenReaderGoesOnWithTheOldest) {
  append(record("1\n"));
  LogReader reader(directory_.path());
  EXPECT_EQ(rest(reader), "1\n");
  fs::remove(directory_.path() / "log");
  put("log.1", record("7\n"));
  put("log", record("8\n"));
  EXPECT_EQ(rest(reader), "7\n8\n");
}

TEST_F(LogFile, Tail) {
  put("log.1", record("1\n") + record("2\n"));
  put("log", record("3\n") + record("4", true) + record("4\n") + record("5\n"));
  for (auto [lines, expected] : std::vector<std::pair<std::size_t, std::string>>{
           {0, ""}, {1, "5\n"}, {2, "44\n5\n"}, {3, "3\n44\n5\n"}, {99, "1\n2\n3\n44\n5\n"}}) {
    LogReader reader(directory_.path());
    reader.seek_tail(lines);
    EXPECT_EQ(rest(reader), expected) << lines;
  }
}

TEST_F(LogFile, LargeFile) {
  std::string all;
  for (int i = 0; i < 5000; ++i) all += record(std::string(300, 'x') + "\n");
  put("log", all);
  LogReader reader(directory_.path());
  EXPECT_EQ(rest(reader).size(), 5000u * 301);
}

}  // namespace
}  // namespace gantry::runtime
