#include "git_facts.h"

#include "gantry/base/process.h"
#include "gantry/base/without_credentials.h"

namespace gantry::cli {
namespace {

constexpr auto kLimit = std::chrono::seconds(10);

// Settings of a repository that was cloned from anywhere must start no programs.
std::optional<std::string> ask(const std::filesystem::path& directory, std::vector<std::string> words) {
  Command command;
  command.argv = {"git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", directory.string()};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  try {
    auto got = run_captured(command, {}, kLimit);
    if (got.status.code != 0) return std::nullopt;
    while (got.out.ends_with('\n')) got.out.pop_back();
    return got.out;
  } catch (const Error&) {
    return std::nullopt;  // no git, or one that does not answer: nothing is known then
  }
}

}  // namespace

std::optional<GitFacts> git_facts(const std::filesystem::path& directory) {
  auto revision = ask(directory, {"rev-parse", "--verify", "HEAD"});
  if (!revision) return std::nullopt;
  GitFacts out;
  out.revision = *revision;
  out.path = ask(directory, {"rev-parse", "--show-prefix"}).value_or("");
  if (out.path.ends_with('/')) out.path.pop_back();
  out.repository = without_credentials(ask(directory, {"remote", "get-url", "origin"}).value_or(""));
  out.dirty = ask(directory, {"status", "--porcelain", "--", "."}) != "";
  return out;
}

}  // namespace gantry::cli
