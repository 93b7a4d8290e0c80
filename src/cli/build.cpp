#include "build.h"

#include <fmt/format.h>
#include <unistd.h>

#include "api.h"
#include "context_archive.h"
#include "credentials.h"
#include "gantry/base/files.h"
#include "gantry/base/json.h"
#include "input.h"
#include "text.h"

namespace gantry::cli {
namespace {

// The options travel in the request's head, which is limited to 64 KiB.
constexpr std::size_t kLongestText = 40u << 10;

// What a Dockerfile is built from is known only where it is read, so all sign-ins go along, as docker does it.
std::string all_logins(const Context& context) {
  CredentialFile file(context.environment);
  std::map<std::string, Login> logins;
  for (const auto& registry : file.registries()) {
    try {
      if (auto login = file.find(registry)) logins[registry] = *login;
    } catch (const Error& error) {
      // Perhaps the build does not need this one.
      context.console.err("not signed in at " + registry + ": " + error.message() + "\n");
    }
  }
  return logins.empty() ? "" : logins_header(logins);
}

http::ClientRequest build_request(const Context& context, const BuildOptions& options) {
  http::ClientRequest request;
  if (auto logins = all_logins(context); !logins.empty()) request.headers.add("X-Registry-Config", logins);
  request.method = "POST";
  request.path = "/v1/build";
  request.query.add("options", json::to_text(options));
  request.content_type = "application/x-tar";
  return request;
}

task<> keep_waiting(task<> work) {
  co_await std::move(work);
  Event never(co_await asio::this_coro::executor);
  co_await never.wait();
}

task<boost::json::value> follow_build(const http::Client& client, http::ClientRequest request,
                                      http::BodyProducer producer, BuildDisplay& display) {
  auto opening = producer ? client.upload(std::move(request), std::move(producer)) : client.open(std::move(request));
  auto response = co_await std::move(opening);
  auto step = [&display](const boost::json::value& value) { display.show(json::from<BuildStep>(value)); };
  co_return co_await api::follow(std::move(response), step);
}

/// With the agents served for as long as it runs.
task<boost::json::value> build_served(const http::Client& client, http::ClientRequest request,
                                      http::BodyProducer producer, BuildGrants grants, BuildDisplay& display) {
  using namespace asio::experimental::awaitable_operators;
  if (grants.empty()) co_return co_await follow_build(client, std::move(request), std::move(producer), display);
  auto opened = co_await api::post_json(client, "/v1/build/sessions", json::to(grants.body));
  auto session = std::string(opened.at("id").as_string());
  request.query.add("session", session);
  auto building = follow_build(client, std::move(request), std::move(producer), display);
  if (grants.agents.empty()) co_return co_await std::move(building);
  gantry::detail::Outcome<boost::json::value> outcome;
  gantry::detail::Outcome<void> served;
  auto working = gantry::detail::settle<boost::json::value>(std::move(building), &outcome);
  auto serving = gantry::detail::settle<void>(serve_agents(client, session, grants.agents), &served);
  // The agents' connections end after the build, or are cancelled with it.
  auto kept = keep_waiting(std::move(serving));
  co_await (std::move(working) || std::move(kept));
  if (outcome.failure) std::rethrow_exception(outcome.failure);
  co_return std::move(*outcome.value);
}

task<boost::json::value> build_and_show(const http::Client& client, http::ClientRequest request,
                                        http::BodyProducer producer, BuildGrants grants, BuildDisplay& display) {
  gantry::detail::Outcome<boost::json::value> outcome;
  auto work = build_served(client, std::move(request), std::move(producer), std::move(grants), display);
  co_await gantry::detail::settle<boost::json::value>(std::move(work), &outcome);
  if (outcome.failure) {
    display.failed();
    std::rethrow_exception(outcome.failure);
  }
  display.succeeded();
  co_return std::move(*outcome.value);
}

/// The file's path below the context; empty when it is outside.
std::string inside(const std::filesystem::path& root, const std::filesystem::path& file) {
  auto relative = std::filesystem::weakly_canonical(file).lexically_relative(std::filesystem::weakly_canonical(root));
  bool outside = relative.empty() || *relative.begin() == "..";
  return outside ? "" : relative.generic_string();
}

}  // namespace

std::string BuildDisplay::name(std::string_view text) const {
  return label_.empty() ? std::string(text) : label_ + " " + std::string(text);
}

void BuildDisplay::sent(std::uint64_t bytes, bool complete) {
  ProgressItem item;
  item.id = name("context");
  item.status = complete ? "sent" : "sending";
  item.current = bytes;
  item.mark = complete ? Mark::done : Mark::active;
  progress_.update(item);
}

void BuildDisplay::close(int number, Mark mark) {
  auto found = open_.extract(number);
  if (found.empty()) return;
  auto& item = found.mapped();
  item.mark = mark;
  if (item.status.empty() || item.status == "running") item.status = mark == Mark::done ? "done" : "failed";
  progress_.update(item);
}

void BuildDisplay::close_all(Mark mark) {
  while (!open_.empty()) close(open_.begin()->first, mark);
}

void BuildDisplay::show(const BuildStep& step) {
  if (step.number == 0) {
    if (!step.text.empty()) progress_.output(name("note"), step.text + "\n");
    if (!step.output.empty()) progress_.output(name("note"), step.output);
    return;
  }
  if (!step.text.empty()) {
    auto& item = open_[step.number];
    item.id = name(fmt::format("[{}/{}] {}", step.number, step.count, ellipsize(one_line(step.text), 60)));
    item.status = step.cached ? "cached" : "running";
    item.mark = step.cached ? Mark::done : Mark::active;
    progress_.update(item);
  }
  auto open = open_.find(step.number);
  if (open == open_.end()) return;
  if (step.cached) open->second.status = "cached";
  if (!step.output.empty()) progress_.output(open->second.id, step.output);
  if (step.done) close(step.number, Mark::done);
}

void BuildDisplay::succeeded() { close_all(Mark::done); }
void BuildDisplay::failed() { close_all(Mark::failed); }

void locate_dockerfile(BuildOptions& options, const std::filesystem::path& context_root,
                       const std::filesystem::path& dockerfile) {
  if (!std::filesystem::exists(dockerfile))
    throw Error(ErrorKind::not_found, "no Dockerfile at " + dockerfile.string(), "name it with -f, or write one");
  auto relative = inside(context_root, dockerfile);
  options.dockerfile = relative.empty() ? dockerfile.filename().string() : relative;
  auto rules = ignore::IgnoreFile::load(context_root, options.dockerfile);
  if (!relative.empty() && !rules.excludes(relative)) return;
  auto text = read_file(dockerfile);
  if (text.size() > kLongestText)
    throw Error(ErrorKind::exhausted, dockerfile.string() + " is too long to be sent apart from the build context",
                "move it into the context and do not exclude it in .dockerignore");
  options.dockerfile_text = std::move(text);
}

namespace {

task<boost::json::value> send_directory(Context& context, std::filesystem::path root, BuildOptions options,
                                        BuildGrants grants, BuildDisplay& display) {
  if (!std::filesystem::is_directory(root))
    throw Error(ErrorKind::not_found, "build context " + root.string() + " is no directory");
  ContextArchive archive(root, ignore::IgnoreFile::load(root, options.dockerfile));
  http::BodyProducer producer = [&archive, &display]() -> task<std::string> {
    return [](ContextArchive& from, BuildDisplay& show) -> task<std::string> {
      auto piece = from.next();
      show.sent(from.bytes(), piece.empty());
      co_return piece;
    }(archive, display);
  };
  auto request = build_request(context, options);
  co_return co_await build_and_show(context.client, std::move(request), std::move(producer), std::move(grants),
                                    display);
}

}  // namespace

task<boost::json::value> run_build(Context& context, BuildContext from, BuildOptions options, BuildGrants grants,
                                   Progress& progress, std::string label) {
  BuildDisplay display(progress, std::move(label));
  if (!from.directory.empty())
    co_return co_await send_directory(context, from.directory, std::move(options), std::move(grants), display);
  auto request = build_request(context, options);
  if (!from.from_stdin) {
    request.query.add("remote", from.url);
    http::BodyProducer none;
    co_return co_await build_and_show(context.client, std::move(request), std::move(none), std::move(grants), display);
  }
  SharedInput input(co_await asio::this_coro::executor, STDIN_FILENO);
  http::BodyProducer producer = [&input]() { return input.read(); };
  co_return co_await build_and_show(context.client, std::move(request), std::move(producer), std::move(grants),
                                    display);
}

}  // namespace gantry::cli
