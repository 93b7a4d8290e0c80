#include <unistd.h>

#include <cmath>

#include "api.h"
#include "build.h"
#include "build_cache.h"
#include "build_output.h"
#include "command.h"
#include "gantry/base/files.h"
#include "parse.h"

namespace gantry::cli {
namespace {

struct Build {
  std::vector<std::string> tags, args, labels, secrets, agents, outputs, hosts, ulimits, cache_from, cache_to, filter;
  std::string file, target, path, platform, network, iid_file, metadata_file, provenance = "record";
  std::optional<std::string> memory, cpus, shm_size;
  bool no_cache = false, quiet = false, pull = false, load = false, push = false;
};

void declare_build(Options& options, Build& build) {
  options.list("-t,--tag", "REFERENCE", build.tags, "name of the image")
      .value("-f,--file", "FILE", build.file, "Dockerfile, or - for standard input (PATH/Dockerfile)")
      .list("--build-arg", "KEY[=VALUE]", build.args, "value of an ARG; KEY alone passes our variable on")
      .value("--target", "STAGE", build.target, "stage to build")
      .list("--label", "KEY=VALUE", build.labels, "label of the image")
      .list("--secret", "id=NAME,src=FILE", build.secrets, "secret for RUN --mount=type=secret (or env=VARIABLE)")
      .list("--ssh", "ID[=SOCKET]", build.agents, "SSH agent for RUN --mount=type=ssh (default: SSH_AUTH_SOCK)")
      .list("-o,--output", "DIR", build.outputs, "where to: DIR, -, type=local|tar|oci|docker|registry,dest=PATH")
      .value("--platform", "PLATFORM", build.platform, "of the image, as linux/arm64 (this machine's)")
      .flag("--pull", build.pull, "ask registries for newer base images")
      .flag("--no-cache", build.no_cache, "run every step again")
      .list("--no-cache-filter", "STAGE", build.filter, "run every step of this stage again")
      .list("--cache-from", "REFERENCE", build.cache_from, "take steps from there; or type=local,src=DIR")
      .list("--cache-to", "REFERENCE", build.cache_to, "leave all steps there; or type=local,dest=DIR, type=inline")
      .value("--network", "MODE", build.network, "of RUN: default, none or host")
      .list("--add-host", "NAME:ADDRESS", build.hosts, "further line of /etc/hosts")
      .value("-m,--memory", "SIZE", build.memory, "memory limit of each RUN")
      .value("--cpus", "NUMBER", build.cpus, "processor limit of each RUN (1.5)")
      .value("--shm-size", "SIZE", build.shm_size, "size of /dev/shm")
      .list("--ulimit", "NAME=SOFT[:HARD]", build.ulimits, "resource limit")
      .value("--provenance", "HOW", build.provenance, "what is kept of the Git commit: record (default), labels, none")
      .value("--iidfile", "FILE", build.iid_file, "write the image's id there")
      .value("--metadata-file", "FILE", build.metadata_file, "write id, digest and names there, as JSON")
      .flag("--load", build.load, "accepted for habit: images are here")
      .flag("--push", build.push, "push the names to their registries")
      .flag("-q,--quiet", build.quiet, "no progress; print the id")
      .required("PATH", build.path);
}

BuildLimits limits_of(const Build& build) {
  constexpr std::uint64_t kPeriod = 100'000;  // microseconds
  BuildLimits out;
  if (build.memory) out.memory = parse_size(*build.memory, "--memory");
  if (build.shm_size) out.shm_size = parse_size(*build.shm_size, "--shm-size");
  if (!build.cpus) return out;
  auto cpus = parse_decimal(*build.cpus, "--cpus");
  if (cpus < 0.01) throw Error(ErrorKind::invalid, "--cpus " + *build.cpus + " is too few", "give 0.01 or more");
  out.cpu_period = kPeriod;
  out.cpu_quota = std::llround(cpus * static_cast<double>(kPeriod));
  return out;
}

BuildOptions options_of(const Context& context, const Build& build) {
  BuildOptions options;
  options.tags = build.tags;
  options.target = build.target;
  options.no_cache = build.no_cache;
  options.no_cache_filter = build.filter;
  options.pull = build.pull;
  options.platform = build.platform;
  options.network = build.network;
  options.limits = limits_of(build);
  options.labels = parse_pairs(build.labels, "--label");
  for (const auto& text : build.hosts) options.extra_hosts.push_back(parse_extra_host(text));
  for (const auto& text : build.ulimits) options.ulimits.push_back(parse_ulimit(text));
  for (const auto& text : build.args)
    if (auto variable = parse_variable(text, context.environment))
      options.arguments.insert(parse_pair(*variable, "--build-arg"));
  auto epoch = context.environment.find("SOURCE_DATE_EPOCH");
  if (epoch != context.environment.end()) options.arguments.insert(*epoch);
  return options;
}

void add_provenance(const std::string& how, const std::filesystem::path& directory, BuildOptions& options) {
  if (how == "none" || how == "false") return;
  if (how != "record" && how != "labels" && how != "true")
    throw Error(ErrorKind::invalid, "--provenance " + how + " is not known", "use record, labels or none");
  options.source = git_facts(directory);
  if (!options.source || how != "labels") return;
  const auto& source = *options.source;
  if (!source.repository.empty()) options.labels.emplace("org.opencontainers.image.source", source.repository);
  options.labels.emplace("org.opencontainers.image.revision", source.revision + (source.dirty ? "-dirty" : ""));
}

bool is_url(const std::string& path) { return path.find("://") != std::string::npos || path.starts_with("git@"); }

BuildContext locate(Context& context, const Build& build, BuildOptions& options) {
  BuildContext from;
  if (build.path == "-") {
    if (build.file == "-")
      throw Error(ErrorKind::invalid, "the context and the Dockerfile cannot both be standard input");
    if (!build.file.empty()) options.dockerfile = build.file;
    from.from_stdin = true;
    return from;
  }
  if (is_url(build.path)) {
    if (!build.file.empty()) options.dockerfile = build.file;
    from.url = build.path;
    return from;
  }
  from.directory = (context.directory / build.path).lexically_normal();
  if (build.file == "-") {
    options.dockerfile_text = read_to_end(STDIN_FILENO, "standard input", 40u << 10);
  } else {
    auto file = build.file.empty() ? from.directory / "Dockerfile" : context.directory / build.file;
    locate_dockerfile(options, from.directory, file);
  }
  add_provenance(build.provenance, from.directory, options);
  return from;
}

void write_metadata(const Context& context, const Build& build, const boost::json::value& image) {
  auto id = std::string(image.at("id").as_string());
  if (!build.iid_file.empty()) write_file(context.directory / build.iid_file, id, 0644);
  if (build.metadata_file.empty()) return;
  std::string names;
  for (const auto& tag : build.tags) names += (names.empty() ? "" : ",") + tag;
  boost::json::object out;
  out["containerimage.config.digest"] = id;
  out["containerimage.digest"] = image.at("digest");
  out["image.name"] = names;
  write_file(context.directory / build.metadata_file, json::pretty(out) + "\n", 0644);
}

/// What a build takes before and leaves after it.
struct Surroundings {
  std::vector<BuildOutput> outputs;
  std::vector<BuildCache> from;
  std::optional<BuildCache> to;
};

Surroundings surroundings_of(const Build& build, BuildOptions& options) {
  Surroundings out;
  for (const auto& text : build.outputs) out.outputs.push_back(parse_build_output(text));
  if (build.push) out.outputs.push_back(parse_build_output("type=registry"));
  for (const auto& text : build.cache_from) out.from.push_back(parse_build_cache(text, "--cache-from"));
  for (const auto& text : build.cache_to) {
    auto cache = parse_build_cache(text, "--cache-to");
    if (cache.kind == BuildCache::Kind::inline_) {
      options.cache_inline = true;
    } else if (out.to) {
      throw Error(ErrorKind::invalid, "--cache-to is given twice", "leave the cache in one place");
    } else {
      out.to = cache;
      options.cache_to = cache_name(cache);
    }
  }
  return out;
}

task<boost::json::value> build_with(Context& context, Build build, BuildContext from, BuildOptions options,
                                    BuildGrants grants, Progress& progress) {
  auto around = surroundings_of(build, options);
  std::vector<std::string> unneeded;
  for (const auto& cache : around.from) unneeded.push_back(co_await use_cache(context, cache, &options));
  auto to_name = options.cache_to;
  auto image = co_await run_build(context, std::move(from), std::move(options), std::move(grants), progress, "");
  auto id = std::string(image.at("id").as_string());
  if (around.to) co_await keep_cache(context, *around.to, to_name, progress);
  if (around.to && around.to->kind == BuildCache::Kind::local) unneeded.push_back(to_name);
  for (const auto& output : around.outputs) co_await write_output(context, output, id, build.tags, progress);
  // An equal image may have been there before, with a name.
  bool nameless = image.at("references").as_array().empty();
  if (!keeps_image(around.outputs) && nameless) unneeded.push_back(id);
  for (const auto& name : unneeded)
    if (!name.empty()) co_await drop_image(context, name);
  co_return image;
}

task<int> build(Context& context, Build request) {
  auto options = options_of(context, request);
  auto from = locate(context, request, options);
  BuildGrants grants;
  for (const auto& text : request.secrets) add_secret(grants, text, context.environment, context.directory);
  for (const auto& text : request.agents) add_agent(grants, text, context.environment, context.directory);
  boost::json::value image;
  {
    auto progress = context.progress(request.quiet);
    image = co_await build_with(context, request, from, options, grants, *progress);
  }
  write_metadata(context, request, image);
  auto id = std::string(image.at("id").as_string());
  bool taken = false;  // by what was built
  for (const auto& text : request.outputs) taken = taken || parse_build_output(text).destination == "-";
  if (context.json()) context.print(boost::json::object{{"id", id}});
  if (!context.json() && !taken) context.console.out(id + "\n");
  co_return 0;
}

}  // namespace

std::vector<Command> build_commands() {
  return {
      {"build",
       "Build an image from a Dockerfile",
       {"gantry build -t myapp .", "gantry build -t myapp:test -f docker/Dockerfile --build-arg VERSION=2 .",
        "gantry build --secret id=token,src=token.txt --ssh default -t myapp .",
        "gantry build -o out --target binaries https://host/project.git#main", "tar c . | gantry build -t myapp -"},
       prepare<Build, declare_build, build>},
  };
}

}  // namespace gantry::cli
