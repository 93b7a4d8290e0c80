#include "fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

namespace gantry::build {

namespace fs = std::filesystem;

task<int> ChrootExecutor::run(RunRequest request, std::function<void(std::string_view)> output) {
  ++runs;
  last = request;
  std::string lower;
  for (auto layer = request.layers.rbegin(); layer != request.layers.rend(); ++layer)
    lower += (lower.empty() ? "" : ":") + images_.layer_path(*layer).string();
  std::string mounts;
  for (const auto& mount : request.mounts) {
    auto at = "'" + mount_point_.string() + mount.target + "'";
    auto from = "'" + mount.source.string() + "'";
    bool directory = mount.source.empty() || fs::is_directory(mount.source);
    mounts += directory ? "mkdir -p " + at : "mkdir -p $(dirname " + at + ") && touch " + at;
    mounts +=
        " && " + (mount.source.empty() ? "/bin/mount -t tmpfs tmpfs " + at : "/bin/mount --bind " + from + " " + at);
    if (mount.read_only) mounts += " && /bin/mount -o remount,bind,ro " + at;
    mounts += " && ";
  }
  const std::string script = "/bin/mount -t overlay overlay -o \"$1\" \"$2\" && " + mounts +
                             "exec /usr/sbin/chroot --userspec=\"$4\" \"$2\" "
                             "/bin/busybox sh -c 'cd \"$0\" && exec \"$@\"' \"$3\" ";
  std::string options =
      "lowerdir=" + lower + ",upperdir=" + request.upper.string() + ",workdir=" + request.work.string();
  Command command;
  command.argv = {"/usr/bin/unshare",
                  "--mount",
                  "--propagation",
                  "private",
                  "--pid",
                  "--fork",
                  "--kill-child",
                  "/bin/bash",
                  "-c",
                  script + "\"${@:5}\"",
                  "sh",
                  options,
                  mount_point_,
                  request.working_dir,
                  request.user.empty() ? "0:0" : request.user};
  command.argv.insert(command.argv.end(), request.argv.begin(), request.argv.end());
  command.environment = request.environment;
  auto pipe = make_pipe();
  command.descriptors = {{1, pipe.write.get()}, {2, pipe.write.get()}};
  auto child = spawn(command);
  pipe.write.reset();
  if (started) started();
  std::exception_ptr failure;
  ExitStatus ended;
  try {
    ended = co_await child.async_wait();
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    child.signal(SIGKILL);
    // The reactor has made the descriptor non-blocking, and with that waitid(2) too.
    pollfd ended_now{child.pidfd().get(), POLLIN, 0};
    ::poll(&ended_now, 1, 10000);
    child.wait();
    std::rethrow_exception(failure);
  }
  output(read_to_end(pipe.read.get(), "output"));
  co_return ended.code;
}

task<> FakeRemote::pull(std::string reference, std::string, std::function<void(std::string)> tell) {
  pulled.push_back(reference);
  tell("pulling " + reference);
  if (on_pull) on_pull(reference);
  co_return;
}

task<> FakeRemote::fetch(std::string url, fs::path into) {
  fetched.push_back(url);
  auto found = files.find(url);
  if (found == files.end()) throw Error(ErrorKind::not_found, url + ": not found");
  write_file(into, found->second);
  co_return;
}

void BuildTest::open(const fs::path& root) {
  if (root.empty()) own_root_ = std::make_unique<TemporaryDirectory>("/var/tmp", "gantry-build-test-");
  root_ = root.empty() ? own_root_->path() : root;
  for (const char* name : {"merged", "contexts"}) make_directories(root_ / name);
  database_ = std::make_unique<store::Database>(root_ / "db", std::vector<store::Schema>{image::schema(), schema()});
  content_ = std::make_unique<content::ContentStore>(root_ / "content");
  images_ = std::make_unique<image::ImageStore>(*database_, *content_, root_ / "layers");
  pool_ = std::make_unique<WorkerPool>(2);
  executor_ = std::make_unique<ChrootExecutor>(*images_, root_ / "merged");
  builder_ = std::make_unique<Builder>(*pool_, *database_, *images_, *executor_, root_ / "scratch", &remote_,
                                       root_ / "memory");
  builder_->recover();
  // Made once: another second's would be another image.
  if (!images_->list().empty()) return;
  make_base_image();
}

void BuildTest::TearDown() {
  builder_.reset();
  executor_.reset();
  pool_.reset();
  images_.reset();
  content_.reset();
  database_.reset();
}

void BuildTest::make_base_image() {
  auto tree = root_ / "base";
  for (const char* name : {"bin", "etc", "run", "var", "tmp", "opt/kept", "data"}) fs::create_directories(tree / name);
  fs::copy_file(fs::canonical("/bin/busybox"), tree / "bin/busybox");
  for (const char* applet : {"sh", "cat", "echo", "ls", "rm", "mkdir", "sleep", "id", "touch", "env", "chmod", "dd",
                             "ln", "test", "pwd", "stat", "mv"})
    fs::create_symlink("busybox", tree / "bin" / applet);
  fs::create_symlink("/run", tree / "var/run");
  fs::create_symlink("/etc", tree / "config");
  std::ofstream(tree / "etc/passwd") << "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n";
  std::ofstream(tree / "etc/group") << "root:x:0:\napp:x:1001:\nother:x:2002:\n";
  std::ofstream(tree / "data/one") << "1";
  std::ofstream(tree / "data/two") << "2";
  ::chmod((tree / "tmp").c_str(), 01777);
  ::chmod((tree / "opt/kept").c_str(), 0711);
  if (::chown((tree / "opt/kept").c_str(), 5, 6) != 0) FAIL();
  auto lease = images_->lease();
  auto layer = images_->commit_layer(tree, {}, lease.get());
  oci::ImageConfig config;
  config.config.Env = {"PATH=/bin"};
  config.config.Cmd = std::vector<std::string>{"sh"};
  config.history.push_back({.created_by = "base"});
  images_->commit_image({layer}, config, "base:latest");
}

fs::path BuildTest::context(const Files& files) {
  auto root = root_ / "contexts" / std::to_string(++contexts_);
  make_directories(root);
  for (const auto& [name, content] : files) {
    auto arrow = name.find("->");
    auto path = root / name.substr(0, arrow);
    fs::create_directories(path.parent_path());
    if (arrow != std::string::npos) {
      fs::create_symlink(name.substr(arrow + 2), path);
    } else if (!name.ends_with('/')) {
      std::ofstream(path) << content;
    }
  }
  return root;
}

image::ImageInfo BuildTest::build_in(const fs::path& context, Options options) {
  steps_.clear();
  // Outlives the pool's threads, which may still be on their way out of a post to it.
  asio::io_context& loop = *loops_.emplace_back(std::make_unique<asio::io_context>());
  std::exception_ptr failure;
  std::optional<image::ImageInfo> info;
  auto sink = [this](const Step& step) { steps_.push_back(step); };
  asio::co_spawn(loop, builder_->build(context, std::move(options), sink),
                 [&](std::exception_ptr thrown, image::ImageInfo result) {
                   failure = thrown;
                   info = std::move(result);
                 });
  loop.run();
  if (failure) std::rethrow_exception(failure);
  return *info;
}

image::ImageInfo BuildTest::build(const std::string& dockerfile, const Files& files, Options options) {
  auto all = files;
  all["Dockerfile"] = dockerfile;
  return build_in(context(all), std::move(options));
}

Error BuildTest::failure(const std::string& dockerfile, const Files& files, Options options) {
  try {
    build(dockerfile, files, std::move(options));
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "built: " << dockerfile;
  return {ErrorKind::internal, "no error"};
}

TreeView BuildTest::view(const image::ImageInfo& image) {
  std::vector<fs::path> layers;
  for (const auto& layer : image.layers) layers.push_back(images_->layer_path(layer));
  return TreeView(layers);
}

std::string BuildTest::read(const image::ImageInfo& image, const std::string& path) { return view(image).read(path); }

bool BuildTest::exists(const image::ImageInfo& image, const std::string& path) {
  return view(image).resolve(path, false).node.has_value();
}

struct ::stat BuildTest::status(const image::ImageInfo& image, const std::string& path) {
  auto found = view(image).resolve(path, false);
  EXPECT_TRUE(found.node) << path;
  if (!found.node) return {};
  return found.node->status;
}

std::vector<std::string> BuildTest::cached_steps() const {
  std::map<int, std::string> texts;
  std::vector<std::string> out;
  for (const auto& step : steps_) {
    if (!step.text.empty()) texts[step.number] = step.text;
    if (step.cached) out.push_back(texts[step.number]);
  }
  return out;
}

std::size_t BuildTest::left_in_scratch() const {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(root_ / "scratch")) ++count;
  return count - 1;  // but for what cache mounts keep
}

}  // namespace gantry::build
