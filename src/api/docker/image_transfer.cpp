#include "../registry_login.h"
#include "bodies.h"
#include "gantry/registry/registry.h"
#include "image_archives.h"
#include "image_lookup.h"
#include "message_stream.h"

/// Images from and to registries.
namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

/// Docker's status texts, in the order of registry::Step; what has numbers carries them.
std::string status_of(const registry::Progress& progress) {
  switch (progress.step) {
    case registry::Step::resolving:
      return "Pulling from " + oci::Reference::parse(progress.detail).path;
    case registry::Step::preparing:
      return "Preparing";
    case registry::Step::waiting:
      return "Pulling fs layer";
    case registry::Step::exists:
      return "Already exists";
    case registry::Step::mounted:
      return "Mounted from " + progress.detail;
    case registry::Step::receiving:
      return "Downloading";
    case registry::Step::sending:
      return "Pushing";
    case registry::Step::retrying:
      return "Retrying in " + std::to_string(progress.current) + " seconds";
    case registry::Step::finishing:
      return "Extracting";
    case registry::Step::complete:
      return "Pull complete";
  }
  return "";
}

/// "[=====>     ]  1.2MB/3.4MB": what clients print as it is.
std::string bar_of(std::uint64_t current, std::uint64_t total) {
  constexpr std::uint64_t kWidth = 50;
  auto human = [](std::uint64_t bytes) {
    const char* units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1000 && unit < 4; ++unit) value /= 1000;
    char text[32];
    std::snprintf(text, sizeof text, "%.4g%s", value, units[unit]);
    return std::string(text);
  };
  if (total == 0 || current > total) return human(current);
  auto filled = current * kWidth / total;
  auto bar = std::string(filled, '=') + (filled < kWidth ? ">" : "") +
             std::string(filled < kWidth ? kWidth - filled - 1 : 0, ' ');
  return "[" + bar + "]  " + human(current) + "/" + human(total);
}

registry::ProgressSink telling(Tell tell, bool pushing) {
  return [tell = std::move(tell), pushing](const registry::Progress& progress) {
    if (pushing && progress.step == registry::Step::resolving) return;
    auto status = status_of(progress);
    if (pushing && progress.step == registry::Step::waiting) status = "Waiting";
    if (pushing && progress.step == registry::Step::exists) status = "Layer already exists";
    if (pushing && progress.step == registry::Step::complete) status = "Pushed";
    bj::object message{{"status", status}};
    bool counts = progress.step == registry::Step::receiving || progress.step == registry::Step::sending;
    bj::object detail;
    if (counts) {
      detail["current"] = progress.current;
      if (progress.total > 0) detail["total"] = progress.total;
      message["progress"] = bar_of(progress.current, progress.total);
    }
    if (progress.step != registry::Step::resolving) message["progressDetail"] = std::move(detail);
    message["id"] = progress.id;
    tell(std::move(message));
  };
}

task<> pull_one(Services& services, registry::PullRequest request, Tell tell) {
  auto reference = oci::Reference::parse(request.reference);
  auto sink = telling(tell, false);
  auto got = co_await services.parts.registry.pull(std::move(request), std::move(sink));
  tell({{"status", "Digest: " + got.digest}});
  auto shown = reference.familiar();
  tell({{"status",
         got.changed ? "Status: Downloaded newer image for " + shown : "Status: Image is up to date for " + shown}});
  publish(services, "image", "pull", shown, shown);
}

task<> pull_work(Services& services, registry::PullRequest request, bool all_tags, Tell tell) {
  if (!all_tags) {
    co_await pull_one(services, std::move(request), std::move(tell));
    co_return;
  }
  auto repository = request.reference;
  auto tags = co_await services.parts.registry.tags(repository, request.credentials);
  for (const auto& tag : tags) {
    auto one = request;
    one.reference = repository + ":" + tag;
    co_await pull_one(services, std::move(one), tell);
  }
}

// A name without a tag means all of its tags; the client adds "latest" where it means that.
task<> pull(Services& services, Call call) {
  auto name = call.query().get("fromImage");
  auto tag = call.query().get("tag");
  if (!tag.empty()) name += (tag.find(':') == std::string::npos ? ":" : "@") + tag;
  auto parsed = parse_reference(name);
  bool named_only = tag.empty() && parsed.digest.empty() && !name.ends_with(":" + parsed.tag);
  registry::PullRequest request;
  request.credentials = credentials_of(call);
  if (auto platform = call.query().get("platform"); !platform.empty())
    request.platform = registry::Platform::parse(platform);
  request.reference = named_only ? name : parsed.canonical();
  *call.audited_object = parsed.familiar();
  auto* all = &services;
  auto work = [all, request, named_only](Tell tell) { return pull_work(*all, request, named_only, std::move(tell)); };
  co_await stream_messages(call.exchange, work);
}

task<> create_image(Services& services, Call call) {
  if (!call.query().get("fromImage").empty()) {
    co_await pull(services, call);
  } else if (!call.query().get("fromSrc").empty()) {
    co_await import_image(services, call);
  } else {
    throw Error(ErrorKind::invalid, "neither fromImage nor fromSrc is given");
  }
}

task<> push_one(Services& services, registry::PushRequest request, Tell tell) {
  auto sink = telling(tell, true);
  auto done = co_await services.parts.registry.push(std::move(request), std::move(sink));
  for (const auto& layer : done.recompressed)
    tell({{"status", "layer " + layer.substr(0, 19) + " was compressed anew: its digest there is another one"}});
  tell({{"status", done.tag + ": digest: " + done.digest + " size: " + std::to_string(done.size)}});
  bj::object aux{{"Tag", done.tag}, {"Digest", done.digest}, {"Size", done.size}};
  tell({{"progressDetail", bj::object()}, {"aux", std::move(aux)}});
  publish(services, "image", "push", done.reference, done.reference);
}

task<> push_work(Services& services, std::vector<registry::PushRequest> requests, std::string repository, Tell tell) {
  tell({{"status", "The push refers to repository [" + repository + "]"}});
  for (auto& request : requests) {
    auto one = std::move(request);
    co_await push_one(services, std::move(one), tell);
  }
}

task<> push(Services& services, Call call) {
  auto name = call.parameter("name");
  auto tag = call.query().get("tag");
  if (!tag.empty()) name += ":" + tag;
  auto parsed = parse_reference(name);
  std::vector<std::string> names{parsed.familiar()};
  if (tag.empty() && !name.ends_with(":" + parsed.tag)) {
    auto& images = services.engine().images();
    auto list = [&images] { return images.list(); };
    auto all = co_await services.pool().run(list);
    names.clear();
    auto untagged = parsed.familiar();
    auto prefix = untagged.substr(0, untagged.size() - parsed.tag.size());
    for (const auto& image : all)
      for (const auto& reference : image.references)
        if (reference.starts_with(prefix)) names.push_back(reference);
  }
  if (names.empty())
    throw Error(ErrorKind::not_found, "An image does not exist locally with the tag: " + call.parameter("name"));
  std::vector<registry::PushRequest> requests;
  for (const auto& one : names) {
    auto& images = services.engine().images();
    auto look = [&images, one] { return images.resolve(one); };
    try {
      co_await services.pool().run(look);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
      throw Error(ErrorKind::not_found, "An image does not exist locally with the tag: " + call.parameter("name"));
    }
    requests.push_back({one, credentials_of(call)});
  }
  auto* all = &services;
  auto repository = parsed.domain + "/" + parsed.path;
  auto work = [all, requests, repository](Tell tell) { return push_work(*all, requests, repository, std::move(tell)); };
  co_await stream_messages(call.exchange, work);
}

task<> auth(Services& services, Call call) {
  auto object = co_await body_object(call.exchange);
  Body body(object);
  auto server = body.text("serveraddress");
  if (server.empty()) server = "docker.io";
  *call.audited_object = server;
  auto token = co_await services.parts.registry.login(server, credentials(body));
  bj::object out;
  out["IdentityToken"] = token;
  out["Status"] = "Login Succeeded";
  co_await answer_json(call.exchange, 200, std::move(out));
}

}  // namespace

registry::Credentials credentials(const Body& body) {
  registry::Credentials out;
  out.username = body.text("username");
  out.password = body.text("password");
  out.identity_token = body.text("identitytoken");
  return out;
}

std::vector<Route> image_transfer_routes(Services& s) {
  constexpr auto kChanges = Effect::changes;
  return {
      {"POST", "/images/create", "image.pull", kChanges, {}, with(s, create_image)},
      {"POST", "/images/{name...}/push", "image.push", kChanges, {}, with(s, push)},
      {"POST", "/auth", "registry.login", Effect::reads, {}, with(s, auth)},
  };
}

}  // namespace gantry::api::docker
