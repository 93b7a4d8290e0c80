#include "git_checkout.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

#include "gantry/base/files.h"
#include "gantry/base/process.h"
#include "layer/clamp_times.h"

namespace gantry::build {

namespace fs = std::filesystem;

namespace {

constexpr auto kLimit = std::chrono::minutes(10);

class Git {
 public:
  Git(fs::path directory, const fs::path& agent) : directory_(std::move(directory)) {
    environment_ = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=/nonexistent",
        "LC_ALL=C.UTF-8",
        "GIT_CONFIG_NOSYSTEM=1",
        "GIT_CONFIG_GLOBAL=/dev/null",
        "GIT_TERMINAL_PROMPT=0",
        "GIT_ASKPASS=/bin/false",
        "SSH_ASKPASS=/bin/false",
        "GIT_ALLOW_PROTOCOL=http:https:git:ssh",
        "GIT_SSH_COMMAND=ssh -o BatchMode=yes -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes"};
    if (!agent.empty()) environment_.push_back("SSH_AUTH_SOCK=" + agent.string());
  }

  // What it prints on standard output goes with what it complains about: nobody reads both.
  task<std::string> run(std::vector<std::string> words, bool* failed = nullptr) {
    Command command;
    command.argv = {"git",
                    "-c",
                    "core.hooksPath=/dev/null",
                    "-c",
                    "credential.helper=",
                    "-c",
                    "core.fsmonitor=false",
                    "-c",
                    "init.templateDir=",
                    "-c",
                    "init.defaultBranch=main",
                    "-c",
                    "advice.detachedHead=false",
                    "-C",
                    directory_.string()};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.environment = environment_;
    command.new_session = true;
    auto said = directory_;
    said += ".said";
    Fd out = open_file(said.string(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    command.descriptors = {{1, out.get()}, {2, out.get()}};
    auto status = co_await with_timeout("git " + words.front(), kLimit, finish(start(command)));
    if (::lseek(out.get(), 0, SEEK_SET) < 0) throw_errno("read what git said");
    auto text = read_to_end(out.get(), "what git said");
    ::unlink(said.c_str());
    while (text.ends_with('\n')) text.pop_back();
    if (failed != nullptr) *failed = status.code != 0;
    if (status.code != 0 && failed == nullptr)
      throw Error(ErrorKind::unavailable, "git " + words.front() + ": " + text);
    co_return text;
  }

 private:
  static Child start(const Command& command) {
    try {
      return spawn(command);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
      throw Error(ErrorKind::unsupported, "there is no program git, which fetches repositories",
                  "install the package git");
    }
  }

  static task<ExitStatus> finish(Child child) {
    std::exception_ptr failure;
    ExitStatus status;
    try {
      status = co_await child.async_wait();
    } catch (...) {
      failure = std::current_exception();
    }
    if (!failure) co_return status;
    ::kill(-child.pid(), SIGKILL);  // its helpers too: it leads a session of its own
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await child.async_wait();
    std::rethrow_exception(failure);
  }

  fs::path directory_;
  std::vector<std::string> environment_;
};

bool is_commit(const std::string& text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// A server may not give a commit by its name: then all of it is fetched.
task<> fetch(Git* git, GitSource source) {
  auto wanted = source.reference.empty() ? std::string("HEAD") : source.reference;
  bool failed = false;
  std::vector<std::string> one = {"fetch", "-q", "--no-tags", "--depth=1", "--", source.url, wanted};
  auto said = co_await git->run(one, &failed);
  std::vector<std::string> checkout = {"checkout", "-q", "--detach", "FETCH_HEAD"};
  if (failed && said.find("remote ref") != std::string::npos && !is_commit(wanted))
    throw Error(ErrorKind::not_found, "the repository " + source.url + " has no \"" + wanted + "\"",
                "name a branch, a tag or a whole commit behind \"#\"");
  if (failed && is_commit(wanted)) {
    std::vector<std::string> all = {"fetch", "-q", "--tags", "--", source.url, "+refs/heads/*:refs/remotes/origin/*"};
    said = co_await git->run(all, &failed);
    checkout.back() = wanted;
  }
  if (failed) throw Error(ErrorKind::unavailable, "fetching " + source.url + ": " + said);
  co_await git->run(checkout);
}

}  // namespace

task<GitTree> checkout_git(GitSource source, fs::path into, bool keep, fs::path agent) {
  make_directories(into, 0755);
  Git git(into, agent);
  std::vector<std::string> init = {"init", "-q"};
  std::vector<std::string> head = {"rev-parse", "HEAD"};
  std::vector<std::string> time = {"show", "-s", "--format=%ct", "HEAD"};
  std::vector<std::string> submodules = {"submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"};
  co_await git.run(init);
  co_await fetch(&git, source);
  GitTree tree;
  tree.commit = co_await git.run(head);
  if (fs::exists(into / ".gitmodules")) co_await git.run(submodules);
  auto seconds = co_await git.run(time);
  std::int64_t committed = 0;
  std::from_chars(seconds.data(), seconds.data() + seconds.size(), committed);
  if (!keep || !source.directory.empty()) remove_tree(into / ".git");
  clamp_times(into, committed);
  tree.root = into / source.directory;
  // Links of the repository are followed by nobody but the reader of the tree, who stays inside.
  for (auto part = tree.root; part != into && part.has_relative_path(); part = part.parent_path())
    if (fs::is_symlink(part) || !fs::exists(part))
      throw Error(ErrorKind::not_found,
                  "the repository " + source.url + " has no directory \"" + source.directory + "\"");
  if (source.directory.empty()) tree.root = into;
  co_return tree;
}

}  // namespace gantry::build
