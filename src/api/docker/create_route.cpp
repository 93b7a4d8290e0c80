#include "create.h"
#include "gantry/registry/platform.h"
#include "names.h"
#include "routes.h"

namespace gantry::api::docker {
namespace {

/// A familiar reference with its tag, as Docker names an image that is not there.
std::string tagged(const std::string& image) {
  auto slash = image.rfind('/');
  auto rest = slash == std::string::npos ? image : image.substr(slash + 1);
  return rest.find(':') == std::string::npos && rest.find('@') == std::string::npos ? image + ":latest" : image;
}

/// What the image says and Docker shows as the container's own.
task<> take_from_image(Services& services, engine::ContainerSpec* spec, std::string platform,
                       std::vector<std::string>* warnings) {
  auto& images = services.engine().images();
  auto look_up = [&images, reference = spec->image] { return images.resolve(reference); };
  image::ImageInfo image;
  bool missing = false;
  try {
    image = co_await services.pool().run(look_up);
  } catch (const Error& error) {
    missing = error.kind() == ErrorKind::not_found;
    if (!missing) throw;
  }
  if (missing) throw Error(ErrorKind::not_found, "No such image: " + tagged(spec->image));
  registry::Platform has{image.config.os, image.config.architecture, image.config.variant.value_or("")};
  if (!platform.empty() && registry::fit(registry::Platform::parse(platform), has) == 0)
    throw Error(ErrorKind::not_found, "image with reference " + spec->image +
                                          " was found but does not provide the specified platform (" + platform + ")");
  if (platform.empty() && registry::fit(registry::Platform::host(), has) == 0)
    warnings->push_back("The requested image's platform (" + has.str() +
                        ") does not match the detected host platform (" + registry::Platform::host().str() +
                        ") and no specific platform was requested");
  for (const auto& [key, value] : image.config.config.Labels) spec->labels.emplace(key, value);
}

/// The engine's words for a specification it does not take, as Docker has them. Only an image may be "not found" here:
/// the client answers that with a pull.
[[noreturn]] void create_failure(const engine::ContainerSpec& spec, const Error& error) {
  const auto& message = error.message();
  if (message.starts_with("invalid container name"))
    throw Error(ErrorKind::invalid,
                "Invalid container name (" + spec.name + "), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
  if (message.starts_with("no command given")) throw Error(ErrorKind::invalid, "no command specified", error.fix());
  if (error.kind() != ErrorKind::not_found) throw error;
  for (const auto& mount : spec.mounts)
    if (mount.type == engine::MountType::bind && message.ends_with(mount.source + " does not exist"))
      throw Error(ErrorKind::invalid,
                  "invalid mount config for type \"bind\": bind source path does not exist: " + mount.source,
                  error.fix());
  constexpr std::string_view kBefore = "container ", kBehind = " does not exist";
  if (message.starts_with(kBefore) && message.ends_with(kBehind))
    throw Error(
        ErrorKind::invalid,
        "No such container: " + message.substr(kBefore.size(), message.size() - kBefore.size() - kBehind.size()),
        error.fix());
  throw Error(ErrorKind::invalid, message, error.fix());
}

/// The size its terminal begins with: [rows, columns], since 1.42.
std::optional<engine::TerminalSize> console_size(const boost::json::object& body) {
  const auto* host = body.if_contains("HostConfig");
  if (host == nullptr || !host->is_object()) return std::nullopt;
  return read_console_size(Body(host->get_object()));
}

std::vector<std::string> create_warnings(const boost::json::object& object, int minor) {
  std::vector<std::string> out;
  Body body(object);
  if (minor >= 44 && !body.text("MacAddress").empty())
    out.emplace_back(
        "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.");
  auto host = body.object("HostConfig");
  if (!host.text("VolumeDriver").empty() && !host.objects("Mounts").empty())
    out.emplace_back("`VolumeDriver` has no effect on volumes that are defined by `Mounts`");
  return out;
}

task<> create_container(Services& services, Call call) {
  auto body = co_await body_object(call.exchange);
  auto minor = minor_of(call);
  forget_newer_members(&body, minor);
  auto warnings = create_warnings(body, minor);
  auto spec = container_spec(Body(body), call.query().get("name"));
  auto platform = minor < 41 ? std::string() : call.query().get("platform");
  co_await take_from_image(services, &spec, platform, &warnings);
  require_free_name(services, spec.name);
  auto asked = spec;
  auto work = services.engine().create(std::move(spec));
  ContainerId id;
  std::optional<Error> failure;
  try {
    id = co_await shield<ContainerId>(services.changes, "create a container", std::move(work));
  } catch (const Error& error) {
    failure = error;
  }
  if (failure) create_failure(asked, *failure);
  *call.audited_object = id.str();
  if (auto size = console_size(body); size && asked.tty) co_await services.engine().resize(id, *size);
  boost::json::object out{{"Id", id.str()}, {"Warnings", boost::json::array(warnings.begin(), warnings.end())}};
  co_await answer_json(call.exchange, 201, std::move(out));
}

}  // namespace

std::vector<Route> create_routes(Services& s) {
  return {{"POST", "/containers/create", "container.create", Effect::changes, {}, with(s, create_container)}};
}

}  // namespace gantry::api::docker
