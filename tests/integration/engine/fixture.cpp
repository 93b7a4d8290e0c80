#include "fixture.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "gantry/base/ids.h"
#include "gantry/base/process.h"
#include "gantry/content/content_store.h"

namespace gantry::engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kApplets[] = {"sh",       "cat",   "ls",    "id",    "echo",   "sleep", "true",     "false",
                                    "mount",    "stat",  "touch", "stty",  "kill",   "ps",    "head",     "dd",
                                    "seq",      "grep",  "env",   "pwd",   "wc",     "nc",    "mkdir",    "rm",
                                    "hostname", "tr",    "tail",  "ip",    "date",   "df",    "nslookup", "getopt",
                                    "chown",    "chmod", "ping",  "httpd", "printf", "test",  "trap"};

// Before any thread exists, so that all of them are in it: bridges, rules and ports of these tests are nowhere else.
const bool kOwnNetwork = [] {
  if (::unshare(CLONE_NEWNET) < 0) return false;
  Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::string("lo").copy(request.ifr_name, IFNAMSIZ);
  request.ifr_flags = IFF_UP;
  return ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}();

void make_root(const fs::path& root) {
  for (const char* name : {"bin", "proc", "sys", "dev", "etc", "tmp", "root", "data", "srv"})
    make_directories(root / name, 0755);
  fs::permissions(root / "tmp", fs::perms::all | fs::perms::sticky_bit);
  fs::copy_file("/bin/busybox", root / "bin/busybox");
  for (const char* name : kApplets) fs::create_symlink("busybox", root / "bin" / name);
  write_file(root / "etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/srv:/bin/sh\n", 0644);
  write_file(root / "etc/group", "root:x:0:\napp:x:1000:\nextra:x:2000:app\n", 0644);
  write_file(root / "data/seed", "from the image\n", 0644);
  write_file(root / "bin/notexec", "text", 0644);
  if (::chown((root / "data/seed").c_str(), 1000, 1000) < 0) throw_errno("chown");
}

std::vector<std::string> processes_in(const std::string& directory) {
  std::vector<std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    if (entry.path().filename().string().find_first_not_of("0123456789") != std::string::npos) continue;
    auto cwd = fs::read_symlink(entry.path() / "cwd", ignored).string();
    std::string command;
    std::ifstream file(entry.path() / "cmdline");
    std::getline(file, command);
    if (cwd.find(directory) != std::string::npos || command.find(directory) != std::string::npos)
      out.push_back(entry.path().filename().string());
  }
  return out;
}

std::vector<std::string> bridges() {
  std::vector<std::string> out;
  for (auto* list = if_nameindex(); list != nullptr;) {
    for (auto* link = list; link->if_index != 0; ++link)
      if (std::string_view(link->if_name).starts_with("gt")) out.push_back(link->if_name);
    if_freenameindex(list);
    break;
  }
  return out;
}

std::vector<store::Schema> schemas() { return {image::schema(), volume::schema(), network::schema(), schema()}; }

}  // namespace

struct Host {
  Host(asio::io_context& io, const fs::path& directory, const std::string& instance,
       std::function<void(std::string_view)> on_step)
      : pool(4),
        database(directory / "gantry.db", schemas()),
        content(directory / "content"),
        images(database, content, directory / "layers"),
        volumes(database, directory / "volumes"),
        networks(io.get_executor(), pool, database, instance),
        runtime(io.get_executor(), pool,
                {.shim = GANTRY_SHIM,
                 .crun = "/usr/bin/crun",
                 .init = "/usr/bin/catatonit",
                 .run_dir = directory / "run",
                 .instance = instance}),
        engine(Parts{io.get_executor(), pool, transfers, database, images, networks, volumes, runtime, std::move(on_step)},
               directory, directory / "run") {}

  WorkerPool pool;
  TransferLimit transfers{8};
  store::Database database;
  content::ContentStore content;
  image::ImageStore images;
  volume::VolumeStore volumes;
  network::NetworkManager networks;
  runtime::Runtime runtime;
  Engine engine;
};

EngineTest::EngineTest() : directory_("/tmp", "gantry-engine-"), instance_("t" + random_hex(3)) {
  EXPECT_TRUE(kOwnNetwork);
  host_ = std::make_unique<Host>(io_, directory_.path(), instance_, [this](std::string_view name) {
    if (on_step_) on_step_(name);
  });
  fs::path root = directory_.path() / "box";
  make_root(root);
  auto tar = directory_.path() / "box.tar";
  auto made = run_captured({.argv = {"tar", "-C", root.string(), "-cf", tar.string(), "."}});
  if (made.status.code != 0) throw Error(ErrorKind::internal, "tar: " + made.err);
  oci::ImageConfig config;
  config.config.Env = {"PATH=/bin"};
  config.config.Cmd = {"/bin/sh"};
  host_->images.import(open_file(tar, O_RDONLY).get(), "box", config, {});
  run([this]() -> task<> { co_await engine().recover(); });
}

EngineTest::~EngineTest() {
  if (!host_) return;
  // After a failure: whatever is left goes here, so that the machine stays clean.
  on_step_ = {};
  run([this]() -> task<> {
    co_await engine().close();
    for (const auto& id : host_->runtime.leftovers()) co_await host_->runtime.remove(id);
    co_await host_->networks.remove_all();
  });
  host_->runtime.cleanup_instance();
  host_.reset();
}

void EngineTest::TearDown() {
  on_step_ = {};
  if (HasFatalFailure()) return;
  remove_all();
  EXPECT_TRUE(fs::is_empty(directory_.path() / "containers"));
  run([this]() -> task<> { co_await engine().close(); });
  EXPECT_TRUE(host_->runtime.leftovers().empty()) << "a container was left behind";
  run([this]() -> task<> { co_await host_->networks.remove_all(); });
  host_->runtime.cleanup_instance();
  EXPECT_EQ(bridges(), std::vector<std::string>());
  EXPECT_EQ(processes_in(directory_.path()), std::vector<std::string>());
  EXPECT_EQ(read_file("/proc/self/mountinfo").find(directory_.path().string()), std::string::npos);
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup"))
    EXPECT_FALSE(fs::exists(hierarchy.path() / ("gantry-" + instance_))) << hierarchy.path();
  host_.reset();
}

Engine& EngineTest::engine() { return host_->engine; }

void EngineTest::run(std::function<task<>()> work) {
  std::exception_ptr failure;
  bool done = false;
  asio::co_spawn(io_, work(), [&](std::exception_ptr thrown) {
    failure = thrown;
    done = true;
  });
  io_.restart();
  while (!done) io_.run_one();
  if (!failure) return;
  auto error = to_error(failure);
  ADD_FAILURE() << to_string(error.kind()) << ": " << error.message() << " (" << error.fix() << ")";
}

Error EngineTest::refusal(std::function<task<>()> work) {
  std::optional<Error> out;
  run([&]() -> task<> {
    try {
      co_await work();
    } catch (const Error& error) {
      out = error;
    }
  });
  if (out) return *out;
  ADD_FAILURE() << "it was not refused";
  return Error(ErrorKind::internal, "not refused");
}

void EngineTest::restart_daemon(const std::function<void()>& meanwhile) {
  run([this]() -> task<> {
    co_await engine().close();
    co_await host_->networks.close();
  });
  host_.reset();
  io_.restart();
  io_.poll();
  if (meanwhile) meanwhile();
  host_ = std::make_unique<Host>(io_, directory_.path(), instance_, [this](std::string_view name) {
    if (on_step_) on_step_(name);
  });
  run([this]() -> task<> { co_await engine().recover(); });
}

void EngineTest::reboot() {
  auto run_dir = directory_.path() / "run";
  restart_daemon([&] {
    for (const auto& text : processes_in(directory_.path())) ::kill(std::stoi(text), SIGKILL);
    for (int i = 0; i < 200 && !processes_in(directory_.path()).empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    remove_tree(run_dir);
  });
}

ContainerSpec EngineTest::shell(const std::string& script) {
  ContainerSpec spec;
  spec.image = "box";
  spec.command = {"/bin/sh", "-c", script};
  return spec;
}

ContainerId EngineTest::create(ContainerSpec spec) {
  ContainerId id;
  run([&]() -> task<> { id = co_await engine().create(spec); });
  return id;
}

ContainerId EngineTest::start(ContainerSpec spec) {
  auto id = create(std::move(spec));
  run([&]() -> task<> { co_await engine().start(id); });
  return id;
}

int EngineTest::wait(const ContainerId& id, WaitCondition condition) {
  int code = -1;
  run([&]() -> task<> {
    auto waiting = engine().wait(id, condition);
    auto status = co_await with_timeout("wait", std::chrono::seconds(30), std::move(waiting));
    code = status.code;
  });
  return code;
}

bool EngineTest::eventually(const std::function<bool()>& condition, Duration limit) {
  bool met = false;
  run([&]() -> task<> {
    auto end = std::chrono::steady_clock::now() + limit;
    while (!(met = condition()) && std::chrono::steady_clock::now() < end)
      co_await sleep_for(std::chrono::milliseconds(20));
  });
  return met;
}

std::string EngineTest::logs(const ContainerId& id, LogQuery query) {
  std::string out;
  run([&]() -> task<> {
    std::function<task<>(LogRecord)> sink = [&](LogRecord record) -> task<> {
      out += record.data;
      co_return;
    };
    co_await engine().logs(id, query, sink);
  });
  return out;
}

std::string EngineTest::output(ContainerSpec spec) {
  auto id = start(std::move(spec));
  wait(id);
  return logs(id);
}

std::string EngineTest::exec(const ContainerId& id, std::vector<std::string> argv) {
  std::string out;
  run([&]() -> task<> {
    ExecSpec spec;
    spec.argv = argv;
    auto exec = co_await engine().exec_create(id, spec);
    auto session = co_await engine().exec_start(exec);
    out = co_await read_all(session.get());
    out += "=" + std::to_string(co_await engine().exec_wait(exec));
  });
  return out;
}

void EngineTest::remove_all() {
  run([this]() -> task<> {
    ContainerFilter filter;
    filter.build_steps = true;
    RemoveOptions options{.force = true, .volumes = true};
    for (const auto& container : engine().list(filter)) {
      auto removing = engine().remove(container.id, options);
      co_await with_timeout("remove", std::chrono::seconds(60), std::move(removing));
    }
  });
}

task<std::string> read_all(StdioSession* session) {
  std::string out;
  while (auto chunk = co_await session->read()) out += chunk->data;
  co_return out;
}

}  // namespace gantry::engine
