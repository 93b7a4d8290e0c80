#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include "fake_daemon.h"

namespace gantry::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

task<> send_lines(http::Exchange& exchange, std::vector<std::string> lines) {
  co_await exchange.start_stream(200, std::string(http::kNdjson));
  for (const auto& line : lines) co_await exchange.write(line + "\n");
}

http::Handler lines(std::vector<std::string> all) {
  return [all](http::Exchange& exchange) { return send_lines(exchange, all); };
}

TEST_F(ClientTest, PsShowsTableJsonAndIds) {
  play().answer(
      "GET /v1/containers",
      "[" + container_json("web", R"(,"ports":[{"host_ip":"","host_port":8080,"container_port":80,"protocol":"tcp"}],
                                             "isolation_off":["userns=host"])") +
          "]");
  auto table = gantry({"ps", "-a", "--stack", "shop", "--filter", "label=a=b"});
  EXPECT_EQ(table.status.code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("NAME   IMAGE     STATUS"));
  EXPECT_THAT(table.out, HasSubstr("*:8080->80/tcp   userns=host"));
  EXPECT_THAT(daemon->seen(), Contains("GET /v1/containers?all=1&stack=shop&label=a%3Db&view=summary"));
  EXPECT_EQ(gantry({"ps", "-q"}).out, "web012345678\n");
  EXPECT_EQ(json::parse(gantry({"ps", "--format", "json"}).out, "ps").at(0).at("id").as_string(),
            "web0123456789abcdef");
}

TEST_F(ClientTest, ErrorsOfTheDaemonAreShownWhole) {
  play().on("GET /v1/containers", [](http::Exchange&) -> task<> {
    throw Error(ErrorKind::invalid, "bad thing", {{{"f", 1, 2}, "here"}}, "do that");
  });
  auto failed = gantry({"ps"});
  EXPECT_EQ(failed.status.code, 2);
  EXPECT_EQ(failed.err, "gantry: bad thing\nf:1:2: here\nfix: do that\n");
}

TEST_F(ClientTest, StopNamesEachAndGoesOnAfterAFailure) {
  auto& fake = play();
  fake.answer("GET /v1/containers/web", container_json("web"));
  fake.answer("GET /v1/containers", "[]");
  fake.answer("POST /v1/containers/web0123456789abcdef/stop", "{}");
  auto stopped = gantry({"stop", "-t", "3", "web", "wbe"});
  EXPECT_EQ(stopped.status.code, 1);
  EXPECT_EQ(stopped.out, "web\n");
  EXPECT_THAT(stopped.err, HasSubstr("no container or service 'wbe'"));
  EXPECT_THAT(fake.seen(), Contains("POST /v1/containers/web0123456789abcdef/stop?grace=3s"));
}

task<> two_records(http::Exchange& exchange, std::string name) {
  co_await exchange.start_stream(200, std::string(http::kMultiplexedStream));
  co_await exchange.write(http::frame(StdStream::out, name + " says hello\n"));
  co_await exchange.write(http::frame(StdStream::err, name + " complains\n"));
}

TEST_F(ClientTest, LogsOfSeveralCarryNames) {
  auto& fake = play();
  fake.answer("GET /v1/containers", "[" + container_json("web") + "," + container_json("database") + "]");
  for (std::string name : {"web", "database"})
    fake.on("GET /v1/containers/" + name + "0123456789abcdef/logs",
            [name](http::Exchange& exchange) { return two_records(exchange, name); });
  auto logs = gantry({"logs", "--tail", "5", "shop/web", "shop/database"});
  EXPECT_EQ(logs.status.code, 0) << logs.err;
  EXPECT_THAT(logs.out, HasSubstr("web      | web says hello\n"));
  EXPECT_THAT(logs.out, HasSubstr("database | database says hello\n"));
  EXPECT_THAT(logs.err, HasSubstr("web      | web complains\n"));
  EXPECT_THAT(fake.seen(), Contains("GET /v1/containers/web0123456789abcdef/logs?tail=5"));
}

/// What the daemon got as a build context: names in order.
std::vector<std::string> names_in(const std::string& tar) {
  std::vector<std::string> names;
  auto* reader = archive_read_new();
  archive_read_support_format_tar(reader);
  archive_read_open_memory(reader, tar.data(), tar.size());
  archive_entry* entry = nullptr;
  while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) names.emplace_back(archive_entry_pathname(entry));
  archive_read_free(reader);
  return names;
}

task<> build_handler(http::Exchange& exchange, std::string* context, std::string* options) {
  *options = exchange.request().target.query.get("options");
  *context = co_await exchange.read_body(1u << 20);
  std::vector<std::string> steps{R"({"step":{"number":1,"count":2,"text":"FROM base","cached":true}})",
                                 R"({"step":{"number":2,"count":2,"text":"RUN make"}})",
                                 R"({"step":{"number":2,"count":2,"output":"compiling\n"}})",
                                 R"({"result":{"id":"sha256:abc","references":["shop-web"]}})"};
  co_await send_lines(exchange, steps);
}

task<> stack_handler(http::Exchange& exchange, std::string* body) {
  *body = co_await exchange.read_body(1u << 20);
  std::vector<std::string> steps{
      R"({"step":{"kind":"container","name":"shop-web-1","status":"starting","detail":""}})",
      R"({"step":{"kind":"container","name":"shop-web-1","status":"started","detail":""}})",
      R"({"result":{"name":"shop","status":"running","services":1,"containers":1,"running":1}})"};
  co_await send_lines(exchange, steps);
}

TEST_F(ClientTest, UpBuildsSendsTheStackAndSaysWhatToOpen) {
  auto here = directory.path();
  write_file(here / "compose.yaml",
             "name: shop\nservices:\n  web:\n    build: {context: ., args: {A: '1'}}\n    ports: ['8080:80']\n");
  write_file(here / "Dockerfile", "FROM base\n");
  write_file(here / "secret", "s");
  write_file(here / ".dockerignore", "secret\ns\n");
  auto& fake = play();
  std::string context, options, body;
  fake.on("POST /v1/build", [&](http::Exchange& exchange) { return build_handler(exchange, &context, &options); });
  fake.on("PUT /v1/stacks/shop", [&](http::Exchange& exchange) { return stack_handler(exchange, &body); });
  fake.answer(
      "GET /v1/containers",
      "[" +
          container_json("web", R"(,"ports":[{"host_ip":"","host_port":8080,"container_port":80,"protocol":"tcp"}])") +
          "]");
  auto up = gantry({"up", "--scale", "web=2"});
  EXPECT_EQ(up.status.code, 0) << up.err;
  EXPECT_EQ(up.out, "stack shop: running, 1/1 containers running\n  web  http://localhost:8080/\n");
  EXPECT_THAT(up.err, HasSubstr("web [1/2] FROM base: cached\n"));
  EXPECT_THAT(up.err, HasSubstr("  | compiling\n"));
  EXPECT_THAT(up.err, HasSubstr("container shop-web-1: started\n"));
  EXPECT_THAT(names_in(context), ElementsAre(".dockerignore", "Dockerfile", "compose.yaml"));
  auto asked = json::parse(options, "options");
  EXPECT_EQ(asked.at("tags").at(0).as_string(), "shop-web");
  EXPECT_EQ(asked.at("arguments").at("A").as_string(), "1");
  auto sent = json::parse(body, "body");
  EXPECT_EQ(sent.at("stack").at("services").at("web").at("replicas").to_number<int>(), 2);
  EXPECT_TRUE(sent.at("options").at("wait").as_bool());
}

TEST_F(ClientTest, UpRefusesBeforeItBuilds) {
  write_file(directory.path() / "compose.yaml", "name: shop\nservices:\n  web:\n    build: .\n");
  auto& fake = play();
  EXPECT_EQ(gantry({"up", "--scale", "wbe=2"}).status.code, 2);
  EXPECT_NE(gantry({"up", "wbe"}).status.code, 0);
  auto missing = gantry({"up"});
  EXPECT_EQ(missing.status.code, 1);
  EXPECT_THAT(missing.err, HasSubstr("building web: no Dockerfile"));
  EXPECT_EQ(gantry({"up", "--no-build"}).status.code, 1);
  for (const auto& request : fake.seen()) EXPECT_THAT(request, testing::StartsWith("GET "));
}

TEST_F(ClientTest, AProgressStreamThatBreaksOffIsAnError) {
  play().on("DELETE /v1/stacks/shop",
            lines({R"({"step":{"kind":"container","name":"x","status":"stopping","detail":""}})"}));
  auto down = gantry({"down", "-p", "shop", "-t", "2s"});
  EXPECT_EQ(down.status.code, 125);
  EXPECT_THAT(down.err, HasSubstr("broke off"));
}

TEST_F(ClientTest, DownOfWhatIsNotThereSucceeds) {
  play().on("DELETE /v1/stacks/gone",
            [](http::Exchange&) -> task<> { throw Error(ErrorKind::not_found, "no stack 'gone'"); });
  auto down = gantry({"down", "-v", "-p", "gone"});
  EXPECT_EQ(down.status.code, 0);
  EXPECT_THAT(down.err, HasSubstr("nothing to do"));
  EXPECT_THAT(daemon->seen(), Contains("DELETE /v1/stacks/gone?volumes=1"));
}

task<> endless_events(http::Exchange& exchange) {
  co_await exchange.start_stream(200, std::string(http::kNdjson));
  for (int i = 0;; ++i) {
    auto line = fmt::format(
        R"({{"sequence":{},"time":"2026-11-21T08:00:00Z","type":"container","action":"start","name":"c"}})", i);
    co_await exchange.write(line + "\n");
    co_await sleep_for(std::chrono::milliseconds(5));
  }
}

TEST_F(ClientTest, AClosedOutputEndsItQuietly) {
  play().on("GET /v1/events", endless_events);
  auto events = command({"events"});
  events.argv = {"/bin/bash", "-c", "set -o pipefail; \"$0\" events | head -n 1", GANTRY_PROGRAM};
  auto said = run_captured(events, {}, std::chrono::seconds(10));
  EXPECT_EQ(said.status.code, 141);
  EXPECT_EQ(said.err, "");
  EXPECT_THAT(said.out, HasSubstr("container start c\n"));
}

TEST_F(ClientTest, CtrlCEndsItAtOnce) {
  auto& fake = play();
  fake.on("GET /v1/events", endless_events);
  auto pipe = make_pipe();
  auto events = command({"events"});
  events.descriptors = {{1, pipe.write.get()}, {2, pipe.write.get()}};
  auto child = spawn(events);
  pipe.write.reset();
  char byte = 0;
  ASSERT_EQ(::read(pipe.read.get(), &byte, 1), 1);
  auto begin = std::chrono::steady_clock::now();
  child.signal(SIGINT);
  EXPECT_EQ(child.wait().code, 130);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  EXPECT_THAT(read_to_end(pipe.read.get(), "output"), testing::Not(HasSubstr("gantry:")));
}

TEST_F(ClientTest, AnEndInThePastIsNotWaitedFor) {
  play().on("GET /v1/events", lines({}));
  EXPECT_EQ(gantry({"events", "--until", "2026-01-01"}).status.code, 0);
  EXPECT_THAT(daemon->seen(), ElementsAre("GET /v1/events?until=2026-01-01T00%3A00%3A00.000000000Z"));
}

TEST_F(ClientTest, ImportSendsTheFile) {
  write_file(directory.path() / "rootfs.tar", std::string(500000, 'x'));
  std::size_t received = 0;
  play().on("POST /v1/images/import", [&](http::Exchange& exchange) {
    return [](http::Exchange& to, std::size_t* count) -> task<> {
      auto body = co_await to.read_body(1u << 20);
      *count = body.size();
      co_await to.respond(201, std::string(http::kJson), R"({"id":"sha256:1"})");
    }(exchange, &received);
  });
  auto imported = gantry({"image", "import", "rootfs.tar", "base:1"});
  EXPECT_EQ(imported.out, "sha256:1\n") << imported.err;
  EXPECT_EQ(received, 500000u);
  EXPECT_EQ(gantry({"image", "import", "-", "base:1"}, "abc").status.code, 0);
  EXPECT_EQ(received, 3u);
}

}  // namespace
}  // namespace gantry::cli
