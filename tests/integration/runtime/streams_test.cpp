#include "fixture.h"

namespace gantry::runtime {
namespace {

class Streams : public RuntimeTest {};

TEST_F(Streams, AttachedClientGetsEverything) {
  auto plan = shell("seq 1 100000; echo end >&2");
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    auto session = co_await runtime_->attach(plan.id);
    co_await runtime_->start(plan.id);
    std::string out, err;
    while (auto chunk = co_await session->read()) (chunk->stream == StdStream::err ? err : out) += chunk->data;
    EXPECT_EQ(out.size(), 588895u);
    EXPECT_TRUE(out.ends_with("99999\n100000\n"));
    EXPECT_EQ(err, "end\n");
    co_await runtime_->wait(plan.id);
    co_await runtime_->remove(plan.id);
  });
  EXPECT_EQ(log_of(plan, StdStream::out).size(), 588895u);
}

TEST_F(Streams, InputAndItsEnd) {
  auto plan = plan_of({"/bin/wc", "-c"});
  plan.open_stdin = true;
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    auto session = co_await runtime_->attach(plan.id);
    co_await runtime_->start(plan.id);
    co_await session->write(std::string(1'000'000, 'x'));
    co_await session->close_input();
    EXPECT_EQ(co_await read_all(*session), "1000000\n");
    EXPECT_EQ((co_await runtime_->wait(plan.id)).status.code, 0);
    co_await runtime_->remove(plan.id);
  });
}

TEST_F(Streams, InputIsNotLostBeforeTheProgramReads) {
  auto plan = shell("sleep 0.3; cat");
  plan.open_stdin = true;
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    auto session = co_await runtime_->attach(plan.id);
    co_await session->write("early\n");
    co_await runtime_->start(plan.id);
    co_await session->close_input();
    EXPECT_EQ(co_await read_all(*session), "early\n");
    co_await runtime_->wait(plan.id);
    co_await runtime_->remove(plan.id);
  });
}

TEST_F(Streams, InputOfAClientThatHasLeftStillArrives) {
  auto plan = shell("echo noise; sleep 0.5; echo noise; wc -c");
  plan.open_stdin = true;
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    auto session = co_await runtime_->attach(plan.id);
    co_await runtime_->start(plan.id);
    co_await session->write(std::string(150'000, 'x'));
    co_await session->close_input();
    session.reset();
    EXPECT_EQ((co_await runtime_->wait(plan.id)).status.code, 0);
    co_await runtime_->remove(plan.id);
  });
  EXPECT_EQ(log_of(plan), "noise\nnoise\n150000\n");
}

TEST_F(Streams, Terminal) {
  auto plan = shell("read x; stty size; echo got $x; test -t 1 && exit 4");
  plan.tty = plan.open_stdin = true;
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    auto session = co_await runtime_->attach(plan.id);
    co_await runtime_->start(plan.id);
    co_await runtime_->resize(plan.id, 33, 77);
    co_await session->write("hello\n");
    auto text = co_await read_all(*session);
    EXPECT_NE(text.find("33 77\r\n"), std::string::npos) << text;
    EXPECT_NE(text.find("got hello\r\n"), std::string::npos) << text;
    EXPECT_EQ((co_await runtime_->wait(plan.id)).status.code, 4);
    co_await runtime_->remove(plan.id);
  });
}

TEST_F(Streams, NonRootUserOpensItsStreamsAgain) {
  auto plan = shell("id -u; echo out > /dev/stdout; echo err > /dev/stderr");
  plan.uid = 1000;
  plan.gid = 1000;
  EXPECT_EQ(output_of(plan), "1000\nout\nerr\n");
}

TEST_F(Streams, LogRotatesAndStaysBounded) {
  auto plan = shell("seq 1 50000");
  plan.log_max_size = 100'000;
  plan.log_max_files = 3;
  auto text = output_of(plan);
  EXPECT_TRUE(text.ends_with("\n49999\n50000\n"));
  std::uint64_t total = 0;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(plan.state_dir))
    if (entry.path().filename().string().starts_with("log")) {
      ++files;
      total += entry.file_size();
      EXPECT_LE(entry.file_size(), 100'000u);
    }
  EXPECT_EQ(files, 3);
  EXPECT_LE(total, 300'000u);
}

TEST_F(Streams, FollowAcrossRotations) {
  auto plan = shell("i=0; while [ $i -lt 400 ]; do seq 1 100; i=$((i+1)); done");
  plan.log_max_size = 60'000;
  plan.log_max_files = 20;
  std::string followed;
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    LogReader reader(plan.state_dir);
    co_await runtime_->start(plan.id);
    bool ended = false;
    auto wait = [](Runtime* runtime, ContainerId id, bool* done) -> task<> {
      co_await runtime->wait(id);
      *done = true;
    };
    Scope scope(io_.get_executor());
    scope.spawn("wait", wait(runtime_.get(), plan.id, &ended));
    for (bool last = false; !last;) {
      last = ended;
      while (auto entry = reader.next()) followed += entry->data;
      co_await sleep_for(std::chrono::milliseconds(1));
    }
    co_await scope.close();
    co_await runtime_->remove(plan.id);
  });
  EXPECT_EQ(followed.size(), 400u * 292u);
}

TEST_F(Streams, LongLinesArePartial) {
  auto plan = shell("head -c 40000 /dev/zero | tr '\\0' a; echo; printf end");
  output_of(plan);
  LogReader reader(plan.state_dir);
  std::vector<std::pair<std::size_t, bool>> seen;
  while (auto entry = reader.next()) seen.emplace_back(entry->data.size(), entry->partial);
  EXPECT_EQ(seen, (std::vector<std::pair<std::size_t, bool>>{{16384, true}, {16384, true}, {7233, false}, {3, false}}));
}

TEST_F(Streams, ClientThatDoesNotReadIsDroppedAndTheProgramGoesOn) {
  auto plan = shell("seq 1 300000; echo done");
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    auto stuck = co_await runtime_->attach(plan.id);
    co_await runtime_->start(plan.id);
    auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ((co_await runtime_->wait(plan.id)).status.code, 0);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
    co_await runtime_->remove(plan.id);
  });
  EXPECT_TRUE(log_of(plan).ends_with("300000\ndone\n"));
}

TEST_F(Streams, FullDiskDoesNotStopTheProgram) {
  auto plan = shell("seq 1 200000; exit 5");
  auto small = directory_.path() / "small";
  make_directories(small);
  ASSERT_EQ(::system(("mount -t tmpfs -o size=200k none " + small.string()).c_str()), 0);
  plan.state_dir = small / "state";
  plan.log_max_size = 0;
  run([&]() -> task<> { EXPECT_EQ((co_await run_to_end(plan)).status.code, 5); });
  EXPECT_TRUE(std::filesystem::exists(plan.state_dir / "exit.json"));
  EXPECT_TRUE(log_of(plan).starts_with("1\n2\n3\n"));
  EXPECT_EQ(::system(("umount " + small.string()).c_str()), 0);
}

}  // namespace
}  // namespace gantry::runtime
