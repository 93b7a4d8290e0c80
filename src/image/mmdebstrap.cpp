#include "mmdebstrap.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "gantry/base/error.h"

namespace gantry::image {
namespace {

constexpr std::size_t kLinesKept = 30;
constexpr std::size_t kLongestLine = 4096;

// mmdebstrap mounts /proc and /sys below the new root in the mount namespace it finds. In namespaces of its own,
// killing the first process takes everything with it; setpriv makes the kernel do that when this process dies.
std::vector<std::string> enclosed(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv{"setpriv", "--pdeathsig", "KILL",         "--",           "unshare", "--mount",
                                "--pid",   "--fork",      "--kill-child", "--mount-proc", "--",      "mmdebstrap"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

void require_installed() {
  for (const char* place : {"/usr/bin/mmdebstrap", "/usr/local/bin/mmdebstrap"})
    if (::access(place, X_OK) == 0) return;
  throw Error(ErrorKind::unavailable, "mmdebstrap is not installed", "install it: apt-get install mmdebstrap");
}

std::vector<std::string> own_environment() {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) out.emplace_back(*entry);
  return out;
}

bool mentions(const std::deque<std::string>& lines, std::string_view text) {
  for (const auto& line : lines)
    if (line.find(text) != std::string::npos) return true;
  return false;
}

}  // namespace

Mmdebstrap::Mmdebstrap(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                       std::string suite, const ProgressSink& progress)
    : suite_(std::move(suite)), sink_(progress) {
  require_installed();
  Command command{.argv = enclosed(arguments)};
  command.environment = own_environment();
  for (const auto& entry : environment) {
    auto name = entry.substr(0, entry.find('=') + 1);
    std::erase_if(*command.environment, [&](const auto& other) { return other.starts_with(name); });
    command.environment->push_back(entry);
  }
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  command.descriptors = {{1, out.write.get()}, {2, err.write.get()}};
  command.new_session = true;
  child_ = std::make_unique<Child>(spawn(command));
  output_ = std::move(out.read);
  reader_ = std::thread([this, fd = std::move(err.read)] { read_messages(fd.get()); });
}

Mmdebstrap::~Mmdebstrap() { stop(); }

void Mmdebstrap::stop() {
  if (!ended_) {
    child_->signal(SIGKILL);
    child_->wait();
    ended_ = true;
  }
  output_.reset();
  if (reader_.joinable()) reader_.join();
}

void Mmdebstrap::read_messages(int fd) {
  std::string pending;
  char buffer[4096];
  for (;;) {
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    for (char c : std::string_view(buffer, static_cast<std::size_t>(n))) {
      if (c == '\n' || c == '\r' || pending.size() >= kLongestLine)
        take(std::exchange(pending, {}));
      else
        pending += c;
    }
  }
  take(std::move(pending));
}

void Mmdebstrap::take(std::string line) {
  if (line.empty()) return;
  constexpr std::string_view kInformation = "I: ";
  std::string status = line.starts_with(kInformation) ? line.substr(kInformation.size()) : "";
  while (status.ends_with('.')) status.pop_back();
  {
    std::lock_guard lock(mutex_);
    last_lines_.push_back(std::move(line));
    if (last_lines_.size() > kLinesKept) last_lines_.pop_front();
  }
  if (status.empty()) return;
  try {
    tell({suite_, status, 0, 0});
  } catch (...) {
    // The caller went away. Its thread notices when the output ends.
    std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    child_->signal(SIGKILL);
  }
}

void Mmdebstrap::tell(const Progress& progress) {
  std::lock_guard lock(mutex_);
  if (sink_ && !failure_) sink_(progress);
}

ProgressSink Mmdebstrap::progress() {
  return [this](const Progress& progress) { tell(progress); };
}

void Mmdebstrap::rethrow() {
  std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

void Mmdebstrap::finish() {
  // It could not end with nobody reading.
  char unused[16384];
  ssize_t n;
  do n = ::read(output_.get(), unused, sizeof unused);
  while (n > 0 || (n < 0 && errno == EINTR));
  auto status = child_->wait();
  ended_ = true;
  stop();
  rethrow();
  if (status.code != 0) fail();
}

void Mmdebstrap::fail() const {
  std::string said;
  for (const auto& line : last_lines_)
    if (line.starts_with("E: ") || line.starts_with("W: ")) said += (said.empty() ? "" : "; ") + line.substr(3);
  if (said.empty() && !last_lines_.empty()) said = last_lines_.back();
  auto message = "make a base image of " + suite_ + ": " + said;
  if (mentions(last_lines_, "No space left on device") || mentions(last_lines_, "enough free space"))
    throw Error(ErrorKind::exhausted, message, "free disk space, for example with 'gantry image rm', then try again");
  if (mentions(last_lines_, "Unable to locate package"))
    throw Error(ErrorKind::not_found, message, "check the names of the extra packages");
  throw Error(ErrorKind::unavailable, message, "check that 'apt-get update' works on this machine, then try again");
}

}  // namespace gantry::image
