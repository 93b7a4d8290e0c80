#include <charconv>

#include "../body_pipe.h"
#include "../build_context.h"
#include "body.h"
#include "build_remote.h"
#include "image_lookup.h"
#include "message_stream.h"

/// POST /build: the classic builder's endpoint, served by Gantry's own builder.
namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

/// A query parameter that is a JSON object of strings; a null means "not given".
std::map<std::string, std::string> json_map(const http::Query& query, const char* name) {
  std::map<std::string, std::string> out;
  auto text = query.get(name);
  if (text.empty() || text == "null") return out;
  auto value = json::parse(text, std::string("query parameter '") + name + "'");
  const auto* object = value.if_object();
  if (object == nullptr)
    throw Error(ErrorKind::invalid, "error reading build " + std::string(name) + ": no JSON object");
  for (const auto& [key, member] : *object) {
    if (member.is_null()) continue;
    if (!member.is_string())
      throw Error(ErrorKind::invalid,
                  "error reading build " + std::string(name) + ": '" + std::string(key) + "' is no string");
    out[std::string(key)] = std::string(member.get_string());
  }
  return out;
}

/// 0, or absent, is "not set".
std::optional<std::int64_t> number(const http::Query& query, const char* name) {
  auto text = query.get(name);
  if (text.empty()) return std::nullopt;
  std::int64_t value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size())
    throw Error(ErrorKind::invalid, "query parameter '" + std::string(name) + "': \"" + text + "\" is no number");
  if (value == 0) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> positive(const http::Query& query, const char* name) {
  auto value = number(query, name);
  if (value && *value < 0) return std::nullopt;  // -1: no limit
  return value ? std::optional(static_cast<std::uint64_t>(*value)) : std::nullopt;
}

std::optional<std::string> word(const http::Query& query, const char* name) {
  auto text = query.get(name);
  return text.empty() ? std::nullopt : std::optional(text);
}

void refuse_unserved(const http::Query& query) {
  if (query.get("version") == "2")
    throw Error(ErrorKind::unsupported, "BuildKit builds are not served by this endpoint",
                "set DOCKER_BUILDKIT=0, or use 'gantry build': RUN --mount and here-documents work there, too");
  if (docker_flag(query, "squash")) throw Error(ErrorKind::invalid, "squash is only supported with experimental mode");
}

/// Where the context is to be fetched from; empty: it is the body.
std::string remote_of(const http::Query& query) {
  auto remote = query.get("remote");
  return remote == "client-session" ? "" : remote;
}

json::bj::array json_list(const http::Query& query, const char* name) {
  auto text = query.get(name);
  if (text.empty() || text == "null") return {};
  auto value = json::parse(text, std::string("query parameter '") + name + "'");
  if (!value.is_array())
    throw Error(ErrorKind::invalid, "error reading build " + std::string(name) + ": no JSON array");
  return value.get_array();
}

std::vector<std::string> cache_sources(const http::Query& query) {
  std::vector<std::string> out;
  for (const auto& one : json_list(query, "cachefrom"))
    if (one.is_string()) out.push_back(parse_reference(std::string(one.get_string())).familiar());
  return out;
}

std::vector<build::Ulimit> ulimits_of(const http::Query& query) {
  std::vector<build::Ulimit> out;
  for (const auto& one : json_list(query, "ulimits")) {
    if (!one.is_object()) throw Error(ErrorKind::invalid, "error reading build ulimits: no JSON object");
    Body body(one.get_object());
    build::Ulimit limit;
    limit.name = body.text("Name");
    limit.soft = static_cast<std::uint64_t>(body.number("Soft"));
    limit.hard = static_cast<std::uint64_t>(body.number("Hard"));
    out.push_back(std::move(limit));
  }
  return out;
}

std::string network_of(const http::Query& query) {
  auto mode = query.get("networkmode");
  if (mode.empty() || mode == "default" || mode == kBridge) return "default";
  if (mode == "none" || mode == "host") return mode;
  throw Error(ErrorKind::unsupported, "builds cannot join the network \"" + mode + "\"",
              "use the default network, none or host");
}

build::Options build_options(const http::Query& query) {
  refuse_unserved(query);
  build::Options out;
  if (auto file = query.get("dockerfile"); !file.empty()) out.dockerfile = file;
  for (const auto& tag : query.all("t"))
    if (!tag.empty()) out.tags.push_back(parse_reference(tag).familiar());
  out.target = query.get("target");
  out.arguments = json_map(query, "buildargs");
  out.labels = json_map(query, "labels");
  out.no_cache = docker_flag(query, "nocache");
  out.pull = docker_flag(query, "pull");
  out.platform = query.get("platform");
  out.network = network_of(query);
  out.extra_hosts = query.all("extrahosts");
  out.cache_from = cache_sources(query);
  out.ulimits = ulimits_of(query);
  auto& limits = out.limits;
  limits.memory = positive(query, "memory");
  limits.memory_swap = positive(query, "memswap");
  limits.cpu_shares = positive(query, "cpushares");
  limits.cpu_period = positive(query, "cpuperiod");
  limits.cpu_quota = number(query, "cpuquota");
  limits.cpuset = word(query, "cpusetcpus");
  limits.cpuset_mems = word(query, "cpusetmems");
  limits.shm_size = positive(query, "shmsize");
  return out;
}

std::string short_id(const std::string& digest) {
  auto colon = digest.find(':');
  return digest.substr(colon == std::string::npos ? 0 : colon + 1, 12);
}

/// A build's steps as the classic builder tells them: one after the other, so that what a later one of another stage
/// says waits for those before it. Docker shows the image each step made; here a step makes a layer, and its digest
/// stands in that place.
class Narrator {
 public:
  Narrator(Tell tell, bool quiet) : tell_(std::move(tell)), quiet_(quiet) {}

  void operator()(const build::Step& step) {
    if (quiet_) return;
    if (step.number == 0) {
      if (!step.output.empty()) return say(step.output);
      if (!step.text.empty()) say("[Note] " + step.text + "\n");
      return;
    }
    if (step.number != turn_) return waiting_[step.number].push_back(step);
    tell_step(step);
    for (bool done = step.done; done;) {
      ++turn_;
      auto held = waiting_.extract(turn_);
      done = false;
      if (held.empty()) break;
      for (const auto& one : held.mapped()) {
        tell_step(one);
        done = done || one.done;
      }
    }
  }

  void finished(const image::ImageInfo& image, const std::vector<std::string>& tags) {
    if (quiet_) return tell_(stream_message(image.id + "\n"));
    say(" ---> " + short_id(image.id) + "\n");
    bj::object id{{"ID", image.id}};
    tell_({{"aux", std::move(id)}});
    say("Successfully built " + short_id(image.id) + "\n");
    for (const auto& tag : tags) say("Successfully tagged " + tag + "\n");
  }

  /// What the steps that had no turn said: a build that fails ends with it.
  void flush() {
    for (const auto& [number, steps] : std::exchange(waiting_, {}))
      for (const auto& step : steps) tell_step(step);
  }

 private:
  void tell_step(const build::Step& step) {
    if (!step.output.empty()) return say(step.output);
    if (!step.text.empty()) {
      say("Step " + std::to_string(step.number) + "/" + std::to_string(step.count) + " : " + step.text);
      say("\n");
    }
    if (step.cached) say(" ---> Using cache\n");
    if (!step.layer.empty() && step.number < step.count) say(" ---> " + short_id(step.layer) + "\n");
  }

  void say(std::string text) { tell_(stream_message(std::move(text))); }

  Tell tell_;
  bool quiet_;
  int turn_ = 1;
  std::map<int, std::vector<build::Step>> waiting_;  ///< by number
};

std::string command_text(const std::vector<std::string>& argv) {
  std::string out;
  for (const auto& word : argv) out += (out.empty() ? "" : " ") + word;
  return out;
}

task<> build_work(Services& services, std::filesystem::path context, build::Options options, BuildRemote::Logins logins,
                  bool quiet, Tell tell) {
  BuildRemote remote(services.parts.registry, std::move(logins));
  auto narrator = std::make_shared<Narrator>(tell, quiet);
  auto tags = options.tags;
  build::StepSink sink = [narrator](const build::Step& step) { (*narrator)(step); };
  std::optional<image::ImageInfo> info;
  std::exception_ptr failure;
  try {
    info = co_await services.parts.builder.build(context, std::move(options), sink, &remote);
  } catch (const build::CommandError& error) {
    auto text =
        "The command '" + command_text(error.argv()) + "' returned a non-zero code: " + std::to_string(error.code());
    failure = std::make_exception_ptr(CodedError(error.kind(), std::move(text), error.code()));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure && !quiet) narrator->flush();
  if (failure) std::rethrow_exception(failure);
  publish(services, "image", "build", info->id, tags.empty() ? info->id : tags.front());
  for (const auto& tag : tags) publish(services, "image", "tag", info->id, tag);
  narrator->finished(*info, tags);
}

task<> build(Services& services, Call call) {
  auto options = build_options(call.query());
  auto logins = parse_logins(call.exchange.request().headers.get("X-Registry-Config"));
  if (!options.tags.empty()) *call.audited_object = options.tags.front();
  auto& builder = services.parts.builder;
  std::filesystem::path unpacked, path;
  if (auto address = remote_of(call.query()); !address.empty()) {
    auto fetched = co_await builder.fetch_context(address);
    unpacked = fetched.directory;
    path = fetched.root;
    options.source = fetched.source;
    if (fetched.dockerfile) options.dockerfile_text = fetched.dockerfile;
  } else {
    auto unpack = [&builder](int fd) { return builder.unpack_context(fd); };
    unpacked = co_await with_body(call.exchange, services.transfers(), unpack);
    path = unpacked;
  }
  BuildContext context(services, std::move(unpacked));
  auto* all = &services;
  bool quiet = docker_flag(call.query(), "q");
  auto work = [all, path, options, logins, quiet](Tell tell) {
    return build_work(*all, path, options, logins, quiet, std::move(tell));
  };
  co_await stream_messages(call.exchange, work);
}

task<> prune_build_cache(Services& services, Call call) {
  Filters filters(call.query(), {"until", "id", "parent", "type", "description", "inuse", "shared", "private"});
  if (filters.has("until") || filters.has("id") || filters.has("type"))
    throw Error(ErrorKind::unsupported, "the build cache can only be pruned as a whole", "leave the filters out");
  auto& builder = services.parts.builder;
  // The cache goes as a whole, so what is to be kept of it decides whether it goes.
  auto kept = positive(call.query(), minor_of(call) < 48 ? "keep-storage" : "reserved-space");
  if (kept) {
    auto usage = co_await builder.cache_usage();
    if (usage.layers + usage.mounts <= *kept) {
      bj::object nothing;
      nothing["CachesDeleted"] = nullptr;
      nothing["SpaceReclaimed"] = 0;
      co_await answer_json(call.exchange, 200, std::move(nothing));
      co_return;
    }
  }
  auto freed = co_await shield<std::uint64_t>(services.changes, "prune the build cache", builder.prune_cache());
  publish_prune(services, "builder", freed);
  bj::object out;
  out["CachesDeleted"] = nullptr;
  out["SpaceReclaimed"] = freed;
  co_await answer_json(call.exchange, 200, std::move(out));
}

// Builds of this endpoint end with their connection; only BuildKit's have an id.
task<> cancel(Services&, Call call) {
  auto id = call.query().get("id");
  if (id.empty()) throw Error(ErrorKind::invalid, "build ID not provided");
  throw Error(ErrorKind::not_found, "no build with the id " + id, "end the connection of a build to cancel it");
  co_return;
}

}  // namespace

std::vector<Route> build_routes(Services& s) {
  return {
      {"POST", "/build", "image.build", Effect::changes, {}, with(s, build)},
      {"POST", "/build/prune", "image.remove", Effect::changes, {}, with(s, prune_build_cache)},
      {"POST", "/build/cancel", "image.build", Effect::changes, {}, with(s, cancel)},
  };
}

}  // namespace gantry::api::docker
