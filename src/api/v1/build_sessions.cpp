#include "build_sessions.h"

#include "gantry/base/base64.h"
#include "gantry/base/files.h"
#include "gantry/base/ids.h"

namespace gantry::api::v1 {
namespace {

// As BuildKit has it: what is larger is no secret but a file.
constexpr std::size_t kLongestSecret = 500u << 10;
constexpr auto kUntaken = std::chrono::minutes(1);

std::string content_of(const std::string& id, const std::string& text) {
  auto content = decode_base64(text);
  if (!content) throw Error(ErrorKind::invalid, "the secret " + id + " is not in base64");
  if (content->size() > kLongestSecret)
    throw Error(ErrorKind::invalid, "the secret " + id + " is longer than 500 KiB",
                "give the step the file with --mount=type=bind");
  return *content;
}

task<> close_session(std::shared_ptr<BuildSession> session) { co_await session->close(); }

}  // namespace

BuildSession::BuildSession(asio::any_io_executor executor, const std::filesystem::path& directory,
                           const SessionBody& body) {
  for (const auto& [id, text] : body.secrets) grants_->secrets[id] = content_of(id, text);
  for (const auto& id : body.agents) {
    if (agents_.contains(id)) throw Error(ErrorKind::invalid, "the agent " + id + " is given twice");
    auto relay = std::make_unique<AgentRelay>(executor, directory / random_hex(12));
    grants_->agents[id] = relay->socket();
    agents_[id] = std::move(relay);
  }
}

AgentRelay& BuildSession::agent(const std::string& id) {
  auto found = agents_.find(id);
  if (found == agents_.end()) throw Error(ErrorKind::not_found, "the build session has no agent " + id);
  return *found->second;
}

task<> BuildSession::close() {
  for (auto& [id, relay] : agents_) co_await relay->close();
}

BuildSessions::BuildSessions(asio::any_io_executor executor, Scope& scope, std::filesystem::path directory)
    : executor_(std::move(executor)), scope_(scope), directory_(std::move(directory)) {
  remove_tree(directory_);
  make_directories(directory_, 0700);
}

std::string BuildSessions::open(const SessionBody& body) {
  auto id = random_hex(32);
  sessions_[id].session = std::make_shared<BuildSession>(executor_, directory_, body);
  scope_.spawn("forget a build session", forget(id));
  return id;
}

std::shared_ptr<BuildSession> BuildSessions::find(const std::string& id) const {
  auto found = sessions_.find(id);
  if (found == sessions_.end())
    throw Error(ErrorKind::not_found, "there is no such build session", "open one with POST /v1/build/sessions");
  return found->second.session;
}

std::shared_ptr<BuildSession> BuildSessions::take(const std::string& id) {
  auto session = find(id);
  if (std::exchange(sessions_[id].taken, true))
    throw Error(ErrorKind::conflict, "the build session has a build already", "open one for each build");
  return session;
}

void BuildSessions::close(const std::string& id) {
  auto entry = sessions_.extract(id);
  if (!entry.empty()) scope_.spawn("end a build session", close_session(entry.mapped().session));
}

task<> BuildSessions::forget(std::string id) {
  co_await sleep_for(kUntaken);
  auto found = sessions_.find(id);
  if (found != sessions_.end() && !found->second.taken) close(id);
}

}  // namespace gantry::api::v1
