#include "gantry/base/http_message.h"

#include <gtest/gtest.h>

#include "gantry/base/http_stream.h"

namespace {
using namespace gantry;
using namespace gantry::http;

TEST(HttpTarget, SplitsAtWrittenSlashesOnly) {
  auto target = parse_target("/v1/images/reg%2Fx%3A1?all=1&label=a%3Db&label=c+d&empty");
  EXPECT_EQ(target.segments, (std::vector<std::string>{"v1", "images", "reg/x:1"}));
  EXPECT_EQ(target.path, "/v1/images/reg/x:1");
  EXPECT_EQ(target.query.all("label"), (std::vector<std::string>{"a=b", "c d"}));
  EXPECT_TRUE(target.query.has("empty"));
  EXPECT_EQ(target.query.get("none", "x"), "x");
}

TEST(HttpTarget, RefusesWhatIsNotOriginForm) {
  for (const char* bad : {"", "v1", "/a b", "/a%zz", "/a%00b", "/?x=%00", "/a#b", "*"})
    EXPECT_THROW(parse_target(bad), Error) << bad;
}

TEST(HttpTarget, EncodedSegmentsComeBack) {
  std::string odd = "a/b?c=d&e f%\xc3\xa9+:@";
  auto target = parse_target("/x/" + encode_segment(odd) + "?" + Query{{odd, odd}}.encode());
  EXPECT_EQ(target.segments.at(1), odd);
  EXPECT_EQ(target.query.get(odd), odd);
}

TEST(HttpError, TravelsAsJson) {
  Error error(ErrorKind::invalid, "2 mistakes", {{{"compose.yaml", 3, 7}, "no such key"}}, "look \"here\"");
  auto back = error_from_body(error_body(error));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->kind(), ErrorKind::invalid);
  EXPECT_EQ(back->message(), "2 mistakes");
  EXPECT_EQ(back->fix(), "look \"here\"");
  ASSERT_EQ(back->findings().size(), 1u);
  EXPECT_EQ(back->findings()[0].place.line, 3);
  EXPECT_EQ(back->findings()[0].message, "no such key");
  EXPECT_FALSE(error_from_body("{\"error\":\"text\"}"));
  EXPECT_EQ(error_from_answer(404, "nothing here\n").kind(), ErrorKind::not_found);
}

TEST(HttpFrames, SurviveAnySplit) {
  auto wire = frame(StdStream::out, "hello") + frame(StdStream::err, "") + frame(StdStream::err, std::string(300, 'x'));
  for (std::size_t step : {1, 3, 8, 1000}) {
    FrameParser parser;
    std::vector<Chunk> chunks;
    for (std::size_t at = 0; at < wire.size(); at += step) {
      parser.feed(std::string_view(wire).substr(at, step));
      while (auto chunk = parser.next()) chunks.push_back(std::move(*chunk));
    }
    ASSERT_EQ(chunks.size(), 3u);
    EXPECT_EQ(chunks[0].data, "hello");
    EXPECT_EQ(chunks[2].stream, StdStream::err);
    EXPECT_EQ(chunks[2].data.size(), 300u);
    EXPECT_FALSE(parser.partial());
  }
}

TEST(HttpFrames, RefuseGarbageAndGiants) {
  FrameParser garbage;
  garbage.feed("HTTP/1.1 200 OK");
  EXPECT_THROW(garbage.next(), Error);
  FrameParser giant(100);
  giant.feed(frame_header(StdStream::out, 101));
  EXPECT_THROW(giant.next(), Error);
}

}  // namespace
