#include <set>

#include "../progress.h"
#include "images_in_use.h"

namespace gantry::api::v1 {
namespace {

constexpr std::size_t kStackLimit = 16u << 20;

struct UpBody {
  json::bj::value stack;
  platform::UpOptions options;
};
BOOST_DESCRIBE_STRUCT(UpBody, (), (stack, options))

platform::StepSink step_sink(TellStep tell) {
  return [tell](const platform::Step& step) { tell(json::to(step)); };
}

task<> list_stacks(Services& services, Call call) {
  auto names = call.query().all("name");
  auto all = services.parts.stacks.list();
  std::erase_if(all, [&](const auto& stack) { return !named(names, stack.name); });
  co_await answer(call.exchange, 200, std::move(all));
}

task<> inspect_stack(Services& services, Call call) {
  co_await answer(call.exchange, 200, services.parts.stacks.inspect(call.parameter("name")));
}

compose::Stack stack_of(const UpBody& body, const std::string& name) {
  auto stack = compose::stack_from_json(body.stack);
  if (stack.name != name)
    throw Error(ErrorKind::invalid, "$.stack.name: '" + stack.name + "' is not the stack '" + name + "' of the path");
  return stack;
}

task<json::bj::value> up_work(Services& services, compose::Stack stack, platform::UpOptions options, TellStep tell) {
  auto info = co_await services.parts.stacks.up(std::move(stack), std::move(options), step_sink(std::move(tell)));
  co_return json::to(info);
}

task<> up(Services& services, Call call) {
  auto body = co_await body_as<UpBody>(call.exchange, kStackLimit);
  auto stack = stack_of(body, call.parameter("name"));
  auto options = body.options;
  auto* all = &services;
  auto work = [all, stack, options](TellStep tell) {
    return shield<json::bj::value>(all->changes, "up " + stack.name, up_work(*all, stack, options, std::move(tell)));
  };
  co_await stream_progress(call.exchange, work);
}

std::set<std::string> images_of(Services& services, const std::string& stack) {
  engine::ContainerFilter filter;
  filter.labels[engine::kStackLabel] = stack;
  std::set<std::string> ids;
  for (const auto& container : services.engine().list(filter)) ids.insert(container.image_id);
  return ids;
}

struct DownRequest {
  std::string name;
  platform::DownOptions options;
  bool images = false;
};

task<json::bj::value> down_work(Services& services, DownRequest request, TellStep tell) {
  auto images = images_of(services, request.name);
  co_await services.parts.stacks.down(request.name, request.options, step_sink(tell));
  if (!request.images) co_return json::bj::object();
  for (const auto& used : images_in_use(services)) images.erase(used);
  for (const auto& id : images) {
    co_await remove_image(services, id, true);
    tell(json::to(platform::Step{"image", id, "removed", ""}));
  }
  co_return json::bj::object();
}

task<> down(Services& services, Call call) {
  DownRequest request;
  request.name = call.parameter("name");
  request.options.volumes = flag(call.query(), "volumes");
  request.options.grace = duration(call.query(), "grace");
  request.images = flag(call.query(), "images");
  auto* all = &services;
  auto work = [all, request](TellStep tell) {
    return shield<json::bj::value>(all->changes, "down " + request.name, down_work(*all, request, std::move(tell)));
  };
  co_await stream_progress(call.exchange, work);
}

}  // namespace

std::vector<Route> stack_routes(Services& s) {
  return {
      {"GET", "/v1/stacks", "stack.list", Effect::reads, {"name"}, with(s, list_stacks)},
      {"GET", "/v1/stacks/{name}", "stack.read", Effect::reads, {}, with(s, inspect_stack)},
      {"PUT", "/v1/stacks/{name}", "stack.up", Effect::changes, {}, with(s, up)},
      {"DELETE", "/v1/stacks/{name}", "stack.down", Effect::changes, {"volumes", "images", "grace"}, with(s, down)},
  };
}

}  // namespace gantry::api::v1
