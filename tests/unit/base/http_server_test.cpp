#include <fcntl.h>
#include <sys/stat.h>

#include <csignal>

#include "gantry/base/json.h"
#include "http_fixture.h"

namespace {
using namespace gantry;
using namespace gantry::http;

class HttpServer : public HttpFixture {};

task<> echo(Exchange& exchange) {
  auto body = co_await exchange.read_body(1000);
  co_await exchange.respond(200, "text/plain",
                            exchange.request().method + " " + exchange.request().target.path + " " + body);
}

TEST_F(HttpServer, AnswersAClient) {
  serve(echo);
  run([](Client client) -> task<> {
    auto body = co_await client.call(make_request("POST", "/a/b", "hi"));
    EXPECT_EQ(body, "POST /a/b hi");
  }(client()));
}

TEST_F(HttpServer, KeepsTheConnectionAndServesPipelinedRequests) {
  serve(echo);
  RawClient raw(context_, socket_path());
  run([](RawClient* client, Server* server) -> task<> {
    co_await client->send(
        "GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 2\r\n\r\nabGET /3 HTTP/1.1\r\n\r\n");
    auto text = co_await client->receive("GET /3");
    EXPECT_NE(text.find("GET /1"), std::string::npos);
    EXPECT_NE(text.find("POST /2 ab"), std::string::npos);
    EXPECT_EQ(text.find("Connection: close"), std::string::npos);
    co_await client->send("GET /4 HTTP/1.1\r\nConnection: close\r\n\r\n");
    text = co_await client->receive();
    EXPECT_NE(text.find("Connection: close"), std::string::npos);
    client->close();
    while (server->connections() > 0) co_await sleep_for(1ms);
  }(&raw, &*server_));
}

TEST_F(HttpServer, RefusesAnOversizedHead) {
  serve(echo, {.head = 2000});
  RawClient raw(context_, socket_path());
  run([](RawClient* client) -> task<> {
    co_await client->send("GET / HTTP/1.1\r\nX: " + std::string(5000, 'x') + "\r\n\r\n");
    auto text = co_await client->receive();
    EXPECT_TRUE(text.starts_with("HTTP/1.1 431 ")) << text;
    EXPECT_NE(text.find("over the limit of 2000 bytes"), std::string::npos);
  }(&raw));
}

TEST_F(HttpServer, RefusesAnOversizedBodyAnnouncedOrNot) {
  serve(echo);
  RawClient announced(context_, socket_path());
  RawClient chunked(context_, socket_path());
  run([](RawClient* first, RawClient* second) -> task<> {
    co_await first->send("POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n");
    auto text = co_await first->receive();
    EXPECT_TRUE(text.starts_with("HTTP/1.1 413 ")) << text;
    co_await second->send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') +
                          "\r\n0\r\n\r\n");
    text = co_await second->receive("over the limit");
    EXPECT_TRUE(text.starts_with("HTTP/1.1 413 ")) << text;
    EXPECT_NE(text.find("\"kind\":\"invalid\""), std::string::npos);
  }(&announced, &chunked));
}

TEST_F(HttpServer, RefusesMalformedRequests) {
  serve(echo);
  run([](asio::io_context* context, std::filesystem::path path) -> task<> {
    for (std::string bad :
         {"nonsense\r\n\r\n", "GET /%zz HTTP/1.1\r\n\r\n", "GET nowhere HTTP/1.1\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
          "GET / HTTP/1.1\r\nno colon\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
          "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
          "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"}) {
      RawClient client(*context, path);
      co_await client.send(bad);
      auto text = co_await client.receive("}}");
      EXPECT_TRUE(text.starts_with("HTTP/1.1 400 ")) << bad << text;
    }
  }(&context_, socket_path()));
}

TEST_F(HttpServer, GivesUpOnASlowHeadAndOnAnIdleConnection) {
  serve(echo, {.head_timeout = 1s, .idle_timeout = 1s});
  RawClient slow(context_, socket_path());
  RawClient idle(context_, socket_path());
  run([](RawClient* first, RawClient* second) -> task<> {
    co_await first->send("GET / HTTP/1.1\r\nX: ");
    auto text = co_await first->receive();
    EXPECT_TRUE(text.starts_with("HTTP/1.1 408 ")) << text;
    text = co_await second->receive();
    EXPECT_EQ(text, "");
  }(&slow, &idle));
}

TEST_F(HttpServer, TurnsExceptionsIntoTheErrorShapeAndBack) {
  serve([](Exchange&) -> task<> {
    throw Error(ErrorKind::conflict, "'web' is running", "stop it first");
    co_return;
  });
  run([](Client client) -> task<> {
    try {
      co_await client.call(make_request("DELETE", "/v1/containers/web"));
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::conflict);
      EXPECT_EQ(error.message(), "'web' is running");
      EXPECT_EQ(error.fix(), "stop it first");
    }
  }(client()));
}

TEST_F(HttpServer, KnowsThePeer) {
  serve([](Exchange& exchange) -> task<> {
    const auto& peer = exchange.request().peer;
    EXPECT_EQ(peer.pid, ::getpid());
    EXPECT_EQ(peer.uid, ::getuid());
    EXPECT_EQ(peer.gid, ::getgid());
    std::vector<gid_t> groups(static_cast<std::size_t>(::getgroups(0, nullptr)));
    EXPECT_GE(::getgroups(static_cast<int>(groups.size()), groups.data()), 0);
    EXPECT_EQ(peer.groups.size(), groups.size());
    co_await exchange.respond(204, "", "");
  });
  run([](Client client) -> task<> { co_await client.call(make_request("GET", "/")); }(client()));
}

struct Watched {
  bool started = false;
  bool cancelled = false;
};

task<> wait_forever(Watched* watched) {
  watched->started = true;
  try {
    co_await sleep_for(1h);
  } catch (const Error& error) {
    watched->cancelled = error.kind() == ErrorKind::cancelled;
    throw;
  }
}

TEST_F(HttpServer, CancelsTheHandlerWhenTheClientGoes) {
  Watched watched;
  serve([&](Exchange&) { return wait_forever(&watched); });
  RawClient raw(context_, socket_path());
  run([](RawClient* client, Watched* seen) -> task<> {
    co_await client->send("GET / HTTP/1.1\r\n\r\n");
    while (!seen->started) co_await sleep_for(1ms);
    client->close();
    for (int i = 0; i < 100 && !seen->cancelled; ++i) co_await sleep_for(1ms);
    EXPECT_TRUE(seen->cancelled);
  }(&raw, &watched));
}

TEST_F(HttpServer, AHalfClosedClientStillGetsItsAnswer) {
  serve([](Exchange& exchange) -> task<> {
    co_await sleep_for(20ms);
    co_await exchange.respond(200, "text/plain", "late");
  });
  RawClient raw(context_, socket_path());
  run([](RawClient* client) -> task<> {
    co_await client->send("GET / HTTP/1.1\r\n\r\n");
    client->end_writing();
    auto text = co_await client->receive();
    EXPECT_NE(text.find("late"), std::string::npos);
  }(&raw));
}

/// Serves `size` bytes of a file from its seventh on.
Handler file_server(std::shared_ptr<const Fd> file, std::uint64_t size, WorkerPool* pool, Watched* watched) {
  return [=](Exchange& exchange) -> task<> {
    watched->started = true;
    co_await exchange.start_body(200, "text/plain", size);
    std::exception_ptr failure;
    try {
      co_await exchange.write_file(file, 7, size, *pool);
    } catch (...) {
      failure = std::current_exception();
    }
    watched->cancelled = failure && is_cancellation(failure);
    if (failure) std::rethrow_exception(failure);
  };
}

class FileServer : public HttpServer {
 protected:
  FileServer() {
    // More than a socket holds.
    for (int i = 0; text_.size() < (9u << 20); ++i) text_ += std::to_string(i) + "\n";
    write_file(directory_.path() / "file", text_);
    file_ = std::make_shared<const Fd>(open_file((directory_.path() / "file").string(), O_RDONLY));
    std::signal(SIGPIPE, SIG_IGN);
  }
  ~FileServer() override { std::signal(SIGPIPE, SIG_DFL); }

  std::string text_;
  std::shared_ptr<const Fd> file_;
  WorkerPool pool_{2};
  Watched watched_;
};

TEST_F(FileServer, ASlowReaderGetsEveryByte) {
  serve(file_server(file_, text_.size() - 9, &pool_, &watched_));
  RawClient raw(context_, socket_path());
  run([](RawClient* client, std::string wanted) -> task<> {
    co_await client->send("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    co_await sleep_for(50ms);
    auto text = co_await client->receive();
    auto first = text.find("\r\n\r\n") + 4;
    EXPECT_TRUE(text.compare(first, wanted.size(), wanted) == 0);
    auto second = text.find("\r\n\r\n", first) + 4;
    EXPECT_TRUE(text.substr(second) == wanted);
  }(&raw, text_.substr(7, text_.size() - 9)));
}

TEST_F(FileServer, AFileThatIsTooShortBreaksTheAnswerOff) {
  serve(file_server(file_, text_.size(), &pool_, &watched_));
  RawClient raw(context_, socket_path());
  run([](RawClient* client, std::size_t size) -> task<> {
    co_await client->send("GET / HTTP/1.1\r\n\r\n");
    auto text = co_await client->receive();
    EXPECT_EQ(text.size() - (text.find("\r\n\r\n") + 4), size - 7);
  }(&raw, text_.size()));
  EXPECT_FALSE(watched_.cancelled);
}

TEST_F(FileServer, AClientThatGoesEndsIt) {
  serve(file_server(file_, text_.size() - 7, &pool_, &watched_));
  RawClient raw(context_, socket_path());
  run([](RawClient* client, Watched* seen) -> task<> {
    co_await client->send("GET / HTTP/1.1\r\n\r\n");
    while (!seen->started) co_await sleep_for(1ms);
    co_await sleep_for(20ms);
    client->close();
    for (int i = 0; i < 100 && !seen->cancelled; ++i) co_await sleep_for(1ms);
    EXPECT_TRUE(seen->cancelled);
  }(&raw, &watched_));
}

TEST_F(HttpServer, CloseCancelsHandlersAndRemovesTheSocket) {
  Watched watched;
  serve([&](Exchange&) { return wait_forever(&watched); });
  RawClient raw(context_, socket_path());
  run([](RawClient* client, Watched* seen) -> task<> {
    co_await client->send("GET / HTTP/1.1\r\n\r\n");
    while (!seen->started) co_await sleep_for(1ms);
  }(&raw, &watched));
  EXPECT_TRUE(watched.cancelled);
  EXPECT_FALSE(std::filesystem::exists(socket_path()));
}

TEST_F(HttpServer, ReplacesAStaleSocketAndLeavesALivingOne) {
  {
    asio::local::stream_protocol::acceptor stale(context_,
                                                 asio::local::stream_protocol::endpoint(socket_path().string()));
  }
  ASSERT_TRUE(std::filesystem::exists(socket_path()));
  serve(echo);
  struct stat status {};
  ASSERT_EQ(::stat(socket_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0660u);
  Server second(context_.get_executor(), echo);
  EXPECT_THROW(second.listen(UnixEndpoint{.path = socket_path()}), Error);
  EXPECT_THROW(second.listen(UnixEndpoint{.path = "/tmp/" + std::string(200, 'x')}), Error);
  run([](Client client) -> task<> { co_await client.call(make_request("GET", "/")); }(client()));
}

TEST_F(HttpServer, RefusesConnectionsOverTheLimitWithAReason) {
  serve(echo, {.connections = 1});
  RawClient first(context_, socket_path());
  run([](RawClient* holder, Client client) -> task<> {
    co_await holder->send("GET / HTTP/1.1\r\n\r\n");
    co_await holder->receive("GET /");
    try {
      co_await client.call(make_request("GET", "/"));
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
      EXPECT_EQ(error.message(), "the daemon already serves 1 connections");
    }
  }(&first, client()));
}

TEST_F(HttpServer, ServesTwoHundredClientsAtOnce) {
  serve([](Exchange& exchange) -> task<> {
    co_await sleep_for(50ms);
    co_await exchange.respond(200, "text/plain", exchange.request().target.path);
  });
  int answered = 0;
  auto one = [](Client client, int number, int* count) -> task<> {
    auto path = "/" + std::to_string(number);
    auto body = co_await client.call(make_request("GET", path));
    EXPECT_EQ(body, path);
    ++*count;
  };
  run([](Client client, decltype(one) ask, int* count) -> task<> {
    Scope scope(co_await asio::this_coro::executor);
    for (int i = 0; i < 200; ++i) scope.spawn("client", ask(client, i, count));
    while (scope.size() > 0) co_await sleep_for(1ms);
    co_await scope.close();
  }(client(), one, &answered));
  EXPECT_EQ(answered, 200);
}

TEST_F(HttpServer, SaysWhatToDoWhenNobodyListens) {
  run([](Client client) -> task<> {
    try {
      co_await client.call(make_request("GET", "/"));
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
      EXPECT_EQ(error.message(),
                "cannot connect to gantryd at " + client.socket().string() + ": connect: no such file or directory");
      EXPECT_NE(error.fix().find("systemctl start gantry"), std::string::npos);
    }
  }(client()));
}

}  // namespace
