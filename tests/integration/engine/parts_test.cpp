#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "fixture.h"
#include "gantry/engine/build_executor.h"

namespace gantry::engine {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;

// Connects to 127.0.0.1:port, sends nothing, reads to the end.
std::string fetch(std::uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  timeval limit{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) return {};
  ::shutdown(socket.get(), SHUT_WR);
  return read_to_end(socket.get(), "answer");
}

TEST_F(EngineTest, ANamedVolumeIsFilledOnceAndKeepsItsData) {
  auto spec = shell("cat /data/seed; stat -c %u /data/seed; echo mine >> /data/seed");
  spec.mounts.push_back({.type = MountType::volume, .source = "v" + instance_, .target = "/data"});
  EXPECT_EQ(output(spec), "from the image\n1000\n");
  EXPECT_EQ(output(spec), "from the image\nmine\n1000\n");
  auto path = engine().volumes().inspect("v" + instance_).path;
  struct stat status {};
  ASSERT_EQ(::stat((path + "/seed").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 1000u) << "ownership on disk is natural";
  remove_all();
  EXPECT_NO_THROW(engine().volumes().inspect("v" + instance_));
  engine().volumes().remove("v" + instance_);
}

TEST_F(EngineTest, AnonymousVolumesGoWithTheContainerWhenAsked) {
  auto spec = shell("touch /scratch/x");
  spec.mounts.push_back({.type = MountType::volume, .target = "/scratch"});
  auto id = start(spec);
  EXPECT_EQ(wait(id), 0);
  EXPECT_EQ(engine().volumes().list().size(), 1u);
  run([&]() -> task<> {
    RemoveOptions options{.volumes = true};
    co_await engine().remove(id, options);
  });
  EXPECT_TRUE(engine().volumes().list().empty());
}

TEST_F(EngineTest, BindMountsAndTmpfs) {
  auto shared = directory_.path() / "shared";
  make_directories(shared);
  write_file(shared / "in", "host\n", 0644);
  auto spec = shell("cat /shared/in; echo box > /shared/out; mount | grep -c 'tmpfs on /fast'; touch /fast/x");
  spec.mounts.push_back({.type = MountType::bind, .source = shared.string(), .target = "/shared"});
  spec.mounts.push_back({.type = MountType::tmpfs, .target = "/fast", .tmpfs_size = 1u << 20});
  EXPECT_EQ(output(spec), "host\n1\n");
  EXPECT_EQ(read_file(shared / "out"), "box\n");
}

TEST_F(EngineTest, ABindSourceThatIsNotThereIsRefusedUnlessItMayBeMade) {
  auto missing = directory_.path() / "missing";
  auto spec = shell("true");
  spec.mounts.push_back({.type = MountType::bind, .source = missing.string(), .target = "/m"});
  auto error = refusal([&]() -> task<> { co_await engine().create(spec); });
  EXPECT_THAT(error.message(), HasSubstr(missing.string()));
  EXPECT_TRUE(engine().list({}).empty()) << "nothing is left of it";
  spec.mounts[0].create_source = true;
  auto id = start(spec);
  EXPECT_EQ(wait(id), 0);
  EXPECT_TRUE(fs::is_directory(missing));
}

TEST_F(EngineTest, AReadOnlyRootStillHasItsOwnFiles) {
  auto spec = shell("touch /x 2>/dev/null || echo refused; cat /etc/hostname; grep -c localhost /etc/hosts");
  spec.read_only = true;
  spec.hostname = "boxy";
  EXPECT_THAT(output(spec), HasSubstr("refused\nboxy\n2\n"));
}

TEST_F(EngineTest, LimitsAndUsage) {
  auto spec = shell("sleep 300");
  spec.resources.memory = 64u << 20;
  spec.resources.pids = 20;
  auto id = start(spec);
  Stats stats;
  run([&]() -> task<> { stats = co_await engine().stats(id); });
  EXPECT_EQ(stats.memory_limit, 64u << 20);
  EXPECT_GE(stats.pids, 1u);
}

TEST_F(EngineTest, TheUserIsLookedUpInTheImage) {
  auto spec = shell("id -u; id -g; id -G; echo $HOME");
  spec.user = "app";
  EXPECT_EQ(output(spec), "1000\n1000\n1000 2000\n/srv\n");
  spec.user = "nobodyhere";
  auto id = create(spec);
  refusal([&]() -> task<> { co_await engine().start(id); });
  EXPECT_EQ(info(id).exit_code, 125);
}

TEST_F(EngineTest, LogsTailAndFollowAcrossARestart) {
  auto id = start(shell("seq 1 5; echo oops >&2"));
  wait(id);
  LogQuery tail;
  tail.tail = 2;
  EXPECT_EQ(logs(id, tail), "5\noops\n");
  LogQuery only_err;
  only_err.out = false;
  EXPECT_EQ(logs(id, only_err), "oops\n");

  auto spec = shell("echo run; sleep 1");
  auto followed = start(spec);
  std::string seen;
  bool over = false;
  LogQuery follow;
  follow.follow = true;
  std::function<task<>(LogRecord)> sink = [&](LogRecord record) -> task<> {
    seen += record.data;
    co_return;
  };
  asio::co_spawn(io_, engine().logs(followed, follow, sink), [&](std::exception_ptr) { over = true; });
  EXPECT_TRUE(eventually([&] { return seen == "run\n"; }));
  EXPECT_FALSE(over);
  run([&]() -> task<> { co_await engine().restart(followed, 0ms); });
  EXPECT_TRUE(eventually([&] { return seen == "run\nrun\n" && over; }));
}

TEST_F(EngineTest, AttachBeforeStartLosesNothing) {
  auto id = create(shell("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done"));
  std::string out;
  run([&]() -> task<> {
    auto session = co_await engine().attach(id);
    co_await engine().start(id);
    out = co_await read_all(session.get());
  });
  std::string expected;
  for (int i = 0; i < 2000; ++i) expected += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(out, expected);
}

// Some of them with a shim that was ready before, whose end may come before anybody is connected to it.
TEST_F(EngineTest, AttachEndsWhenTheStartFails) {
  ContainerSpec spec{.image = "box"};
  spec.command = {"/bin/nosuch"};
  for (int round = 0; round < 12; ++round) {
    auto id = create(spec);
    std::string out = "unset";
    std::optional<Error> failure;
    run([&]() -> task<> {
      auto session = co_await engine().attach(id);
      try {
        co_await engine().start(id);
      } catch (const Error& error) {
        failure = error;
      }
      out = co_await read_all(session.get());
      co_await sleep_for(20ms);
    });
    EXPECT_EQ(out, "");
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->kind(), ErrorKind::not_found) << failure->message();
  }
}

TEST_F(EngineTest, StandardInputReachesTheProgram) {
  ContainerSpec spec{.image = "box", .open_stdin = true};
  spec.command = {"/bin/cat"};
  auto id = create(spec);
  std::string out;
  run([&]() -> task<> {
    auto session = co_await engine().attach(id);
    co_await engine().start(id);
    std::string text = "through\n";
    co_await session->write(text);
    co_await session->close_input();
    out = co_await read_all(session.get());
  });
  EXPECT_EQ(out, "through\n");
  EXPECT_EQ(wait(id), 0);
}

TEST_F(EngineTest, ExecHasItsOwnStatusAndUser) {
  auto id = start(shell("sleep 300"));
  EXPECT_EQ(exec(id, {"/bin/sh", "-c", "echo out; exit 6"}), "out\n=6");
  auto error = refusal([&]() -> task<> {
    ExecSpec spec;
    spec.argv.push_back("/bin/nosuch");
    auto exec_id = co_await engine().exec_create(id, spec);
    co_await engine().exec_start(exec_id);
  });
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
}

TEST_F(EngineTest, APublishedPortAnswersOnLoopback) {
  auto spec = shell("while true; do echo hello | nc -l -p 8080; done");
  spec.ports.push_back({"127.0.0.1", 0, 8080, Protocol::tcp});
  auto id = start(spec);
  auto port = info(id).ports.at(0).host_port;
  EXPECT_NE(port, 0);
  EXPECT_TRUE(eventually([&] { return fetch(port) == "hello\n"; }));
  // The same port is refused, and what was begun is undone.
  auto second = spec;
  second.ports[0].host_port = port;
  auto other = create(second);
  auto error = refusal([&]() -> task<> { co_await engine().start(other); });
  EXPECT_EQ(error.kind(), ErrorKind::conflict);
  EXPECT_EQ(info(other).state, State::created);
  EXPECT_EQ(info(other).exit_code, 125);
}

TEST_F(EngineTest, ContainersFindEachOtherByNameAndAlias) {
  auto server = shell("sleep 300");
  server.name = "db";
  NetworkAttachment attachment;
  attachment.network = kDefaultNetwork;
  attachment.aliases.push_back("database");
  server.networks.push_back(attachment);
  auto id = start(server);
  auto out = output(shell("nslookup -type=a db; nslookup -type=a database"));
  auto address = info(id).addresses.at(0).ipv4;
  EXPECT_THAT(out, HasSubstr(address)) << out;
  EXPECT_NE(out.find(address), out.rfind(address)) << out;
}

TEST_F(EngineTest, NoNetworkMeansLoopbackOnly) {
  auto spec = shell("ls /sys/class/net; ip addr show lo | grep -c 127.0.0.1");
  spec.no_network = true;
  EXPECT_THAT(output(spec), HasSubstr("lo\n1\n"));
}

TEST_F(EngineTest, OptOutsAreVisible) {
  auto spec = shell("cat /proc/self/uid_map");
  spec.security.user_namespace = UserNamespace::host;
  auto id = start(spec);
  wait(id);
  EXPECT_THAT(logs(id), HasSubstr("4294967295"));
  EXPECT_THAT(info(id).isolation_off, testing::ElementsAre("userns=host"));
}

TEST_F(EngineTest, ABuildStepRunsHiddenAndLeavesItsChanges) {
  BuildExecutor executor(engine());
  build::RunRequest request;
  auto image = engine().images().resolve("box");
  request.layers = image.layers;
  request.upper = directory_.path() / "step/upper";
  request.work = directory_.path() / "step/work";
  make_directories(request.upper);
  make_directories(request.work);
  request.argv = {"/bin/sh", "-c", "echo working; echo done > /result; exit 3"};
  request.environment = {"PATH=/bin"};
  std::string out;
  int code = -1;
  run([&]() -> task<> {
    std::function<void(std::string_view)> sink = [&](std::string_view text) {
      out += text;
      EXPECT_TRUE(engine().list({}).empty());
    };
    code = co_await executor.run(request, sink);
  });
  EXPECT_EQ(code, 3);
  EXPECT_EQ(out, "working\n");
  EXPECT_EQ(read_file(request.upper / "result"), "done\n");
}

TEST_F(EngineTest, ACancelledBuildStepIsGone) {
  BuildExecutor executor(engine());
  build::RunRequest request;
  request.layers = engine().images().resolve("box").layers;
  request.upper = directory_.path() / "step/upper";
  request.work = directory_.path() / "step/work";
  request.argv = {"/bin/sh", "-c", "echo up; sleep 300"};
  request.environment = {"PATH=/bin"};
  bool up = false, ended = false;
  asio::cancellation_signal stop;
  std::function<void(std::string_view)> sink = [&](std::string_view) { up = true; };
  asio::co_spawn(io_, executor.run(request, sink),
                 asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr failure, int) {
                   EXPECT_TRUE(failure && is_cancellation(failure));
                   ended = true;
                 }));
  EXPECT_TRUE(eventually([&] { return up; }));
  stop.emit(asio::cancellation_type::terminal);
  EXPECT_TRUE(eventually([&] { return ended; }));
  ContainerFilter all_of_them;
  all_of_them.build_steps = true;
  EXPECT_TRUE(engine().list(all_of_them).empty());
}

}  // namespace
}  // namespace gantry::engine
