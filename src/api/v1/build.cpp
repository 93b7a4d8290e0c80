#include "../body_pipe.h"
#include "../progress.h"
#include "gantry/base/files.h"
#include "routes.h"

namespace gantry::api::v1 {
namespace {

task<> remove_context(WorkerPool& pool, std::filesystem::path context) {
  auto remove = [context] { remove_tree(context); };
  co_await pool.run(remove);
}

/// An unpacked context; its removal goes to the background, because it may be large.
class Context {
 public:
  Context(Services& services, std::filesystem::path path) : services_(services), path_(std::move(path)) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { services_.changes.spawn("remove a build context", remove_context(services_.pool(), path_)); }
  const std::filesystem::path& path() const { return path_; }

 private:
  Services& services_;
  std::filesystem::path path_;
};

build::Options options_of(const http::Query& query) {
  const auto* text = query.find("options");
  if (text == nullptr) return {};
  return json::from_text<build::Options>(*text, "query parameter 'options'", json::Unknown::refuse);
}

task<json::bj::value> build_work(Services& services, std::filesystem::path context, build::Options options,
                                 TellStep tell) {
  auto tags = options.tags;
  auto sink = [&tell](const build::Step& step) { tell(json::to(step)); };
  auto info = co_await services.parts.builder.build(context, std::move(options), sink);
  publish(services, "image", "build", info.id, tags.empty() ? info.id : tags.front());
  co_return json::to(info);
}

task<> build(Services& services, Call call) {
  auto options = options_of(call.query());
  if (!options.tags.empty()) *call.audited_object = options.tags.front();
  auto& builder = services.parts.builder;
  auto unpack = [&builder](int fd) { return builder.unpack_context(fd); };
  auto unpacked = co_await with_body(call.exchange, services.pool(), unpack);
  Context context(services, std::move(unpacked));
  auto* all = &services;
  auto path = context.path();
  auto work = [all, path, options](TellStep tell) { return build_work(*all, path, options, std::move(tell)); };
  co_await stream_progress(call.exchange, work);
}

}  // namespace

std::vector<Route> build_routes(Services& s) {
  return {{"POST", "/v1/build", "image.build", Effect::changes, {"options"}, with(s, build)}};
}

}  // namespace gantry::api::v1
