#include "build_remote.h"

namespace gantry::daemon {

task<> BuildRemote::pull(std::string reference, std::string platform, std::function<void(std::string)> tell) {
  registry::PullRequest request;
  request.reference = reference;
  if (!platform.empty()) request.platform = registry::Platform::parse(platform);
  tell("pulling " + reference + "\n");
  auto got = co_await registry_.pull(std::move(request));
  tell(reference + ": " + got.digest + "\n");
}

task<> BuildRemote::fetch(std::string url, std::filesystem::path into) {
  return registry_.fetch(std::move(url), std::move(into));
}

}  // namespace gantry::daemon
