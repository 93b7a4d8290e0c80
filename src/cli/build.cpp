#include "build.h"

#include <fmt/format.h>
#include <unistd.h>

#include "api.h"
#include "context_archive.h"
#include "gantry/base/files.h"
#include "gantry/base/json.h"
#include "input.h"
#include "text.h"

namespace gantry::cli {
namespace {

// The options travel in the request's head, which is limited to 64 KiB.
constexpr std::size_t kLongestText = 40u << 10;

http::ClientRequest build_request(const BuildOptions& options) {
  http::ClientRequest request;
  request.method = "POST";
  request.path = "/v1/build";
  request.query.add("options", json::to_text(options));
  request.content_type = "application/x-tar";
  return request;
}

task<std::string> build(const http::Client& client, http::ClientRequest request, http::BodyProducer producer,
                        BuildDisplay& display) {
  auto response = co_await client.upload(std::move(request), std::move(producer));
  auto step = [&display](const boost::json::value& value) { display.show(json::from<BuildStep>(value)); };
  auto result = co_await api::follow(std::move(response), step);
  co_return std::string(result.at("id").as_string());
}

task<std::string> build_and_show(const http::Client& client, http::ClientRequest request, http::BodyProducer producer,
                                 BuildDisplay& display) {
  gantry::detail::Outcome<std::string> outcome;
  auto work = build(client, std::move(request), std::move(producer), display);
  co_await gantry::detail::settle<std::string>(std::move(work), &outcome);
  if (outcome.failure) {
    display.failed();
    std::rethrow_exception(outcome.failure);
  }
  display.succeeded();
  co_return *outcome.value;
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

void BuildDisplay::close(Mark mark) {
  if (number_ == 0) return;
  item_.mark = mark;
  if (item_.status.empty() || item_.status == "running") item_.status = mark == Mark::done ? "done" : "failed";
  progress_.update(item_);
  number_ = 0;
}

void BuildDisplay::show(const BuildStep& step) {
  if (!step.text.empty() && step.number > 0 && step.number != number_) {
    close(Mark::done);
    number_ = step.number;
    item_ = {};
    item_.id = name(fmt::format("[{}/{}] {}", step.number, step.count, ellipsize(one_line(step.text), 60)));
    item_.status = step.cached ? "cached" : "running";
    item_.mark = step.cached ? Mark::done : Mark::active;
    progress_.update(item_);
  } else if (step.cached && number_ != 0) {
    item_.status = "cached";
  }
  if (!step.output.empty()) progress_.output(item_.id, step.output);
}

void BuildDisplay::succeeded() { close(Mark::done); }
void BuildDisplay::failed() { close(Mark::failed); }

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

task<std::string> build_directory(Context& context, std::filesystem::path root, BuildOptions options,
                                  Progress& progress, std::string label) {
  if (!std::filesystem::is_directory(root))
    throw Error(ErrorKind::not_found, "build context " + root.string() + " is no directory");
  BuildDisplay display(progress, std::move(label));
  ContextArchive archive(root, ignore::IgnoreFile::load(root, options.dockerfile));
  http::BodyProducer producer = [&archive, &display]() -> task<std::string> {
    return [](ContextArchive& from, BuildDisplay& show) -> task<std::string> {
      auto piece = from.next();
      show.sent(from.bytes(), piece.empty());
      co_return piece;
    }(archive, display);
  };
  auto request = build_request(options);
  co_return co_await build_and_show(context.client, std::move(request), std::move(producer), display);
}

task<std::string> build_from_stdin(Context& context, BuildOptions options, Progress& progress) {
  auto executor = co_await asio::this_coro::executor;
  BuildDisplay display(progress, "");
  SharedInput input(executor, STDIN_FILENO);
  http::BodyProducer producer = [&input]() { return input.read(); };
  auto request = build_request(options);
  co_return co_await build_and_show(context.client, std::move(request), std::move(producer), display);
}

}  // namespace gantry::cli
