#include <numeric>

#include "http_fixture.h"

namespace {
using namespace gantry;
using namespace gantry::http;

class HttpStream : public HttpFixture {};

TEST_F(HttpStream, CarriesLinesAndAFinalError) {
  serve([](Exchange& exchange) -> task<> {
    co_await exchange.start_stream(200, std::string(kNdjson));
    co_await exchange.write("{\"step\":1}\n{\"st");
    co_await exchange.write("ep\":2}\n");
    if (exchange.request().target.path == "/bad") throw Error(ErrorKind::not_found, "no image 'x'", "build it");
  });
  run([](Client client) -> task<> {
    auto good = co_await client.open(make_request("GET", "/good"));
    std::vector<std::string> lines;
    while (auto line = co_await good.read_line()) lines.push_back(*line);
    EXPECT_EQ(lines, (std::vector<std::string>{"{\"step\":1}", "{\"step\":2}"}));
    auto bad = co_await client.open(make_request("GET", "/bad"));
    co_await bad.read_line();
    co_await bad.read_line();
    try {
      co_await bad.read_line();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::not_found);
      EXPECT_EQ(error.fix(), "build it");
    }
  }(client()));
}

TEST_F(HttpStream, ABrokenRawStreamIsNoticed) {
  serve([](Exchange& exchange) -> task<> {
    co_await exchange.start_stream(200, "application/octet-stream");
    co_await exchange.write("half");
    throw Error(ErrorKind::unavailable, "the disk went away");
  });
  run([](Client client) -> task<> {
    auto response = co_await client.open(make_request("GET", "/"));
    EXPECT_THROW(co_await response.read_all(), Error);
  }(client()));
}

/// Writes for as long as the client takes it.
task<> flood(Exchange& exchange, std::size_t* written) {
  co_await exchange.start_stream(200, std::string(kNdjson));
  std::string line = "\"" + std::string(1021, 'x') + "\"\n";
  while (true) {
    co_await exchange.write(line);
    *written += line.size();
  }
}

TEST_F(HttpStream, ASlowReaderHoldsTheWriterUp) {
  std::size_t written = 0;
  serve([&](Exchange& exchange) { return flood(exchange, &written); });
  RawClient raw(context_, socket_path());
  run([](RawClient* client, std::size_t* count) -> task<> {
    co_await client->send("GET / HTTP/1.1\r\n\r\n");
    std::size_t before = 1;
    while (before != *count) {
      before = *count;
      co_await sleep_for(20ms);
    }
    EXPECT_GT(*count, 0u);
    EXPECT_LT(*count, 4u << 20);  // what socket buffers hold, and no more
    client->close();
  }(&raw, &written));
}

std::string pattern(std::size_t size) {
  std::string data(size, '\0');
  std::iota(data.begin(), data.end(), '\0');
  return data;
}

TEST_F(HttpStream, UploadsABodyOfAnySizeAndAsksFirst) {
  serve([](Exchange& exchange) -> task<> {
    EXPECT_EQ(exchange.request().headers.get("expect"), "100-continue");
    if (exchange.request().target.path == "/no") throw Error(ErrorKind::denied, "not you");
    std::string piece(10'000, '\0');
    std::string all;
    while (auto count = co_await exchange.read_body_some(piece)) all.append(piece, 0, count);
    EXPECT_EQ(all, pattern(3'000'000));
    co_await exchange.respond(200, "text/plain", std::to_string(all.size()));
  });
  run([](Client client) -> task<> {
    auto data = pattern(3'000'000);
    std::size_t at = 0;
    auto producer = [&]() -> task<std::string> {
      auto piece = data.substr(at, 77'777);
      at += piece.size();
      co_return piece;
    };
    auto response = co_await client.upload(make_request("POST", "/yes"), producer);
    auto body = co_await response.read_all();
    EXPECT_EQ(body, "3000000");
    at = 0;
    try {
      co_await client.upload(make_request("POST", "/no"), producer);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::denied);
    }
    EXPECT_EQ(at, 0u);
  }(client()));
}

TEST_F(HttpStream, ARefusalInTheMiddleOfAnUploadReachesTheClient) {
  serve([](Exchange& exchange) -> task<> {
    co_await exchange.read_body(100'000);
    co_await exchange.respond(204, "", "");
  });
  run([](Client client) -> task<> {
    auto producer = []() -> task<std::string> { co_return std::string(50'000, 'x'); };
    try {
      co_await client.upload(make_request("POST", "/"), producer);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), "the request body is over the limit of 100000 bytes");
    }
  }(client()));
}

/// Sends back what comes until the client ends its direction, then says so and ends its own.
task<> echo_stream(Exchange& exchange) {
  auto spec = co_await exchange.read_body(100);
  auto stream = co_await exchange.upgrade("tcp", std::string(kRawStream));
  co_await stream->write(spec + ":");
  std::string piece(1000, '\0');
  while (auto count = co_await stream->read_some(piece)) co_await stream->write(piece.substr(0, count));
  co_await stream->write("end");
  stream->shutdown_write();
  co_await sleep_for(10ms);
}

TEST_F(HttpStream, UpgradesAndEndsEachDirectionOnItsOwn) {
  serve(echo_stream);
  run([](Client client) -> task<> {
    Headers headers;
    auto stream = co_await client.upgrade(make_request("POST", "/", "{}"), "tcp", &headers);
    EXPECT_EQ(headers.get("Content-Type"), kRawStream);
    co_await stream->write("hello ");
    co_await stream->write("world ");
    stream->shutdown_write();
    std::string piece(100, '\0');
    std::string all;
    while (auto count = co_await stream->read_some(piece)) all.append(piece, 0, count);
    EXPECT_EQ(all, "{}:hello world end");
  }(client()));
}

TEST_F(HttpStream, RefusesAnUpgradeNobodyAskedFor) {
  serve(echo_stream);
  RawClient raw(context_, socket_path());
  run([](RawClient* client) -> task<> {
    co_await client->send("POST / HTTP/1.1\r\n\r\n");
    auto text = co_await client->receive("}}");
    EXPECT_TRUE(text.starts_with("HTTP/1.1 426 ")) << text;
    EXPECT_NE(text.find("Upgrade: tcp"), std::string::npos);
  }(&raw));
}

TEST_F(HttpStream, AnUpgradedHandlerEndsWhenTheClientGoes) {
  bool ended = false;
  serve([&](Exchange& exchange) -> task<> {
    auto stream = co_await exchange.upgrade("tcp", "");
    struct Mark {
      bool* flag;
      ~Mark() { *flag = true; }
    } mark{&ended};
    co_await sleep_for(1h);
  });
  run([](Client client, bool* flag) -> task<> {
    auto stream = co_await client.upgrade(make_request("POST", "/"), "tcp");
    stream.reset();
    for (int i = 0; i < 100 && !*flag; ++i) co_await sleep_for(1ms);
    EXPECT_TRUE(*flag);
  }(client(), &ended));
}

}  // namespace
