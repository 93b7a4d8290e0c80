#include "inflate.h"

#include <gtest/gtest.h>

#include "archive_builder.h"
#include "gantry/base/error.h"

namespace gantry::image {
namespace {

using test::ArchiveBuilder;

// Fed in pieces of `step` bytes, into rooms of `room` bytes.
std::string inflate(std::string_view data, std::size_t step, std::size_t room) {
  std::string out, space(room, '\0');
  Inflater inflater(
      [&] {
        return Inflater::Room{space.data(), space.size()};
      },
      [&](std::size_t used) { out.append(space, 0, used); });
  for (std::size_t at = 0; at < data.size(); at += step) inflater.feed(data.substr(at, step));
  inflater.finish();
  return out;
}

std::string packed(int filter) {
  ArchiveBuilder builder(filter);
  for (int i = 0; i < 200; ++i)
    builder.file("file-" + std::to_string(i), std::string(static_cast<std::size_t>(i) * 7, 'x'));
  return builder.finish();
}

TEST(Inflate, AnyPiecesAndRoomsGiveTheSame) {
  auto plain = packed(ARCHIVE_FILTER_NONE);
  for (int filter : {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD}) {
    auto data = packed(filter);
    for (std::size_t step : {std::size_t(1), std::size_t(3), std::size_t(1000), data.size()})
      for (std::size_t room : {std::size_t(1), std::size_t(700), std::size_t(1u << 20)})
        EXPECT_EQ(inflate(data, step, room), plain) << filter << " " << step << " " << room;
  }
}

TEST(Inflate, MembersAndFramesFollowEachOther) {
  for (int filter : {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD}) {
    auto one = packed(filter);
    for (std::size_t step : {std::size_t(1), std::size_t(4096)})
      EXPECT_EQ(inflate(one + one + one, step, 5000).size(), 3 * packed(ARCHIVE_FILTER_NONE).size()) << filter;
  }
}

TEST(Inflate, DamageIsNoticed) {
  for (int filter : {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD}) {
    auto data = packed(filter);
    EXPECT_THROW(inflate(data.substr(0, data.size() - 3), 100, 1000), Error) << filter;
    EXPECT_THROW(inflate(data.substr(0, data.size() / 2), 100, 1000), Error) << filter;
    EXPECT_THROW(inflate(data + "garbage", 100, 1000), Error) << filter;
    auto changed = data;
    changed[data.size() / 2] = static_cast<char>(changed[data.size() / 2] ^ 0x10);
    try {
      EXPECT_NE(inflate(changed, 100, 1000), packed(ARCHIVE_FILTER_NONE));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid);
    }
  }
  EXPECT_EQ(inflate("", 1, 1), "");
  EXPECT_EQ(inflate("ab", 1, 1), "ab");
}

}  // namespace
}  // namespace gantry::image
