#include "fixture.h"

#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "gantry/base/ids.h"

namespace gantry::runtime {
namespace {

namespace fs = std::filesystem;

constexpr const char* kApplets[] = {"sh",    "cat",   "ls",      "id",   "echo",     "sleep", "true", "false",
                                    "mount", "stat",  "touch",   "stty", "kill",     "ps",    "head", "dd",
                                    "seq",   "grep",  "printf",  "test", "env",      "pwd",   "wc",   "chown",
                                    "yes",   "nc",    "mkdir",   "rm",   "hostname", "tr",    "tail", "ulimit",
                                    "nproc", "mknod", "unshare", "ip",   "chmod",    "ln",    "date", "sysctl"};

void make_root(const fs::path& root) {
  for (const char* name : {"bin", "proc", "sys", "dev", "etc", "tmp", "root"}) make_directories(root / name, 0755);
  ::chmod((root / "tmp").c_str(), 01777);
  fs::copy_file("/bin/busybox", root / "bin/busybox");
  for (const char* name : kApplets) fs::create_symlink("busybox", root / "bin" / name);
}

std::string own_mounts() { return read_file("/proc/self/mountinfo"); }

// Processes whose command line or working directory names this test's directory.
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
      out.push_back(entry.path().filename().string() + " " + command);
  }
  return out;
}

}  // namespace

RuntimeTest::RuntimeTest()
    : directory_("/tmp", "gantry-runtime-"),
      run_dir_(directory_.path() / "run"),
      layer_(directory_.path() / "layer"),
      instance_("test-" + random_hex(8)),
      mounts_before_(own_mounts()) {
  make_root(layer_);
  restart_runtime();
}

RuntimeTest::~RuntimeTest() {
  if (!runtime_) return;
  run([this]() -> task<> {
    for (const auto& id : runtime_->leftovers()) co_await runtime_->remove(id);
  });
  runtime_->cleanup_instance();
  runtime_.reset();
  io_.restart();
  io_.run();
}

void RuntimeTest::TearDown() {
  EXPECT_TRUE(runtime_->leftovers().empty()) << "a container was left behind";
  runtime_->cleanup_instance();
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup"))
    EXPECT_FALSE(fs::exists(hierarchy.path() / ("gantry-" + instance_))) << hierarchy.path();
  EXPECT_FALSE(fs::exists(fs::path("/sys/fs/cgroup") / ("gantry-" + instance_)));
  EXPECT_EQ(processes_in(directory_.path()), std::vector<std::string>());
  EXPECT_TRUE(fs::is_empty(run_dir_));
  EXPECT_EQ(own_mounts().find(directory_.path().string()), std::string::npos);
}

void RuntimeTest::restart_runtime() {
  runtime_.reset();
  io_.restart();
  io_.run();
  runtime_ = std::make_unique<Runtime>(io_.get_executor(), pool_,
                                       Config{.shim = GANTRY_SHIM,
                                              .crun = "/usr/bin/crun",
                                              .init = "/usr/bin/catatonit",
                                              .run_dir = run_dir_,
                                              .instance = instance_});
}

void RuntimeTest::run(std::function<task<>()> work) {
  std::exception_ptr failure;
  bool done = false;
  asio::co_spawn(io_, work(), [&](std::exception_ptr thrown) {
    failure = thrown;
    done = true;
  });
  io_.restart();
  while (!done) io_.run_one();
  if (!failure) return;
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    ADD_FAILURE() << to_string(error.kind()) << ": " << error.message() << " (" << error.fix() << ")";
  }
}

Plan RuntimeTest::plan_of(std::vector<std::string> argv) {
  Plan plan;
  plan.id = make_id<ContainerId>();
  plan.launcher = Launcher::GANTRY_LAUNCHER;
  auto data = directory_.path() / "data" / plan.id.str();
  plan.layers = {layer_};
  plan.upper = data / "upper";
  plan.work = data / "work";
  plan.state_dir = data / "state";
  plan.argv = std::move(argv);
  plan.environment = {"PATH=/bin", "HOME=/root"};
  plan.hostname = "box";
  plan.user_namespace = IdRange{.host = 1'000'000, .size = 65536};
  plan.capabilities = default_capabilities();
  return plan;
}

task<ExitRecord> RuntimeTest::run_to_end(Plan plan) {
  co_await runtime_->create(plan);
  co_await runtime_->start(plan.id);
  auto record = co_await runtime_->wait(plan.id);
  co_await runtime_->remove(plan.id);
  co_return record;
}

std::string RuntimeTest::log_of(const Plan& plan, std::optional<StdStream> only) const {
  LogReader reader(plan.state_dir);
  std::string text;
  while (auto entry = reader.next())
    if (!only || *only == entry->stream) text += entry->data;
  return text;
}

pid_t RuntimeTest::shim_of(const ContainerId& id) const {
  std::istringstream text(read_file_if_exists(shim_directory(id) / "shim.pid").value_or(""));
  pid_t pid = 0;
  text >> pid;
  return pid;
}

std::string RuntimeTest::output_of(Plan plan) {
  run([this, &plan]() -> task<> { co_await run_to_end(plan); });
  return log_of(plan);
}

task<std::string> read_all(StdioSession& session) {
  std::string text;
  while (auto chunk = co_await session.read()) text += chunk->data;
  co_return text;
}

}  // namespace gantry::runtime
