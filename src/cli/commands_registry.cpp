#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include "api.h"
#include "command.h"
#include "credentials.h"
#include "gantry/base/fd.h"
#include "pull.h"
#include "push.h"
#include "table.h"
#include "terminal.h"
#include "text.h"

namespace gantry::cli {
namespace {

struct Pull {
  std::string policy = "always", image;
  std::optional<std::string> platform;
  bool quiet = false;
};

void declare_pull(Options& options, Pull& pull) {
  options.value("--platform", "OS/ARCHITECTURE", pull.platform, "for another machine than this one")
      .value("--policy", "WHEN", pull.policy, "always (ask the registry), missing or never (always)")
      .flag("-q,--quiet", pull.quiet, "no progress; print the name")
      .required("IMAGE", pull.image);
}

task<int> pull(Context& context, Pull request) {
  PullOptions options;
  options.reference = request.image;
  options.policy = parse_pull_policy(request.policy, "--policy");
  options.platform = request.platform;
  boost::json::value result;
  {
    auto progress = context.progress(request.quiet);
    result = co_await pull_image(context, std::move(options), *progress);
  }
  if (context.json()) {
    context.print(result);
    co_return 0;
  }
  auto reference = json::from<std::string>(result.at("reference"));
  if (!request.quiet) {
    auto digest = json::from<std::string>(result.at("digest"));
    auto received = json::from<std::uint64_t>(result.at("received"));
    bool changed = json::from<bool>(result.at("changed"));
    if (!digest.empty()) context.console.err("digest: " + digest + "\n");
    context.console.err(changed ? fmt::format("new image, {} received\n", human_bytes(received))
                                : std::string("is up to date\n"));
  }
  context.console.out(reference + "\n");
  co_return 0;
}

struct Push {
  std::string image;
  bool quiet = false;
};

void declare_push(Options& options, Push& push) {
  options.flag("-q,--quiet", push.quiet, "no progress; print the digest").required("IMAGE", push.image);
}

task<int> push(Context& context, Push request) {
  boost::json::value result;
  {
    auto progress = context.progress(request.quiet);
    result = co_await push_image(context, request.image, *progress);
  }
  if (context.json()) {
    context.print(result);
    co_return 0;
  }
  auto anew = json::from<std::vector<std::string>>(result.at("recompressed"));
  if (!request.quiet && !anew.empty())
    context.console.err(fmt::format(
        "{} of its layers had to be compressed anew and have other digests there than where they came from; the image "
        "id is the same\n",
        anew.size()));
  context.console.out(json::from<std::string>(result.at("digest")) + "\n");
  co_return 0;
}

struct ImageCopy {
  std::string source, target;
  std::optional<std::string> platform;
  bool all = false, referrers = false, quiet = false;
};

void declare_image_copy(Options& options, ImageCopy& copy) {
  options.flag("-a,--all", copy.all, "an index with the images for all platforms")
      .flag("-r,--referrers", copy.referrers, "with what is about it: signatures, attestations, lists of parts")
      .value("--platform", "OS/ARCHITECTURE", copy.platform, "for another machine than this one")
      .flag("-q,--quiet", copy.quiet, "no progress; print the digest")
      .required("SOURCE", copy.source)
      .required("TARGET", copy.target);
}

std::string without_scheme(const std::string& reference) {
  constexpr std::string_view kScheme = "docker://";
  return reference.starts_with(kScheme) ? reference.substr(kScheme.size()) : reference;
}

task<int> image_copy(Context& context, ImageCopy request) {
  boost::json::object body;
  body["source"] = request.source;
  body["target"] = request.target;
  body["all"] = request.all;
  body["referrers"] = request.referrers;
  if (request.platform) body["platform"] = *request.platform;
  std::map<std::string, Login> logins;
  CredentialFile file(context.environment);
  for (const auto& reference : {request.source, request.target}) {
    auto registry = registry_of(without_scheme(reference));
    if (auto login = file.find(registry)) logins[registry] = *login;
  }
  http::ClientRequest post;
  post.method = "POST";
  post.path = "/v1/images/copy";
  post.body = boost::json::serialize(body);
  post.headers.add("X-Registry-Config", logins_header(logins));
  boost::json::value result;
  {
    auto progress = context.progress(request.quiet);
    auto step = [&](const boost::json::value& value) { progress->update(transfer_item(value)); };
    auto response = co_await context.client.open(std::move(post));
    result = co_await api::follow(std::move(response), step);
  }
  if (context.json()) {
    context.print(result);
    co_return 0;
  }
  auto sent = json::from<std::uint64_t>(result.at("sent"));
  auto blobs = json::from<std::uint64_t>(result.at("blobs"));
  auto referrers = json::from<std::uint64_t>(result.at("referrers"));
  if (!request.quiet) {
    auto about = request.referrers ? fmt::format("{} referrers, ", referrers) : "";
    context.console.err(fmt::format("{}{} blobs, {} sent\n", about, blobs, human_bytes(sent)));
  }
  context.console.out(json::from<std::string>(result.at("digest")) + "\n");
  co_return 0;
}

struct SignIn {
  std::string username, password, server;
  bool password_stdin = false;
};

void declare_login(Options& options, SignIn& login) {
  options.value("-u,--username", "NAME", login.username, "user")
      .value("-p,--password", "SECRET", login.password, "password; others see it in the list of processes")
      .flag("--password-stdin", login.password_stdin, "read the password from standard input")
      .optional("REGISTRY", login.server);
}

/// A line from the terminal; `hidden`: what is typed is not shown.
std::string ask(const Context& context, const std::string& question, bool hidden) {
  if (!is_terminal(STDIN_FILENO))
    throw Error(ErrorKind::invalid, "standard input is no terminal to ask for user and password",
                "use --username and --password-stdin");
  context.console.err(question + ": ");
  termios before{};
  ::tcgetattr(STDIN_FILENO, &before);
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  if (hidden) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  std::string line;
  for (char c = 0; ::read(STDIN_FILENO, &c, 1) == 1 && c != '\n';) line += c;
  if (hidden) {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    context.console.err("\n");
  }
  return line;
}

Login asked_login(const Context& context, SignIn& request) {
  if (request.password_stdin && !request.password.empty())
    throw Error(ErrorKind::invalid, "--password and --password-stdin exclude each other");
  if (request.username.empty()) request.username = ask(context, "User", false);
  if (request.password_stdin) {
    request.password = read_to_end(STDIN_FILENO, "standard input", 64u << 10);
    while (!request.password.empty() && (request.password.back() == '\n' || request.password.back() == '\r'))
      request.password.pop_back();
  } else if (request.password.empty()) {
    request.password = ask(context, "Password", true);
  }
  if (request.username.empty() || request.password.empty())
    throw Error(ErrorKind::invalid, "user and password must not be empty");
  return {request.username, request.password, ""};
}

task<int> login(Context& context, SignIn request) {
  auto registry = request.server.empty() ? std::string("docker.io") : registry_of(request.server + "/x");
  auto who = asked_login(context, request);
  boost::json::object body;
  body["server"] = registry;
  http::ClientRequest post;
  post.method = "POST";
  post.path = "/v1/registries/login";
  post.body = boost::json::serialize(body);
  post.headers.add("X-Registry-Auth", auth_header(who));
  auto text = co_await context.client.call(std::move(post));
  auto answer = json::parse(text, "the daemon's answer");
  who.identity_token = json::from<std::string>(answer.at("identity_token"));
  CredentialFile file(context.environment);
  file.store(registry, who);
  context.console.err("signed in at " + registry + " as " + who.username + "; kept by " + file.keeper(registry) + "\n");
  co_return 0;
}

struct SignOut {
  std::string server;
};

void declare_logout(Options& options, SignOut& logout) { options.optional("REGISTRY", logout.server); }

task<int> logout(Context& context, SignOut request) {
  auto registry = request.server.empty() ? std::string("docker.io") : registry_of(request.server + "/x");
  bool was = CredentialFile(context.environment).erase(registry);
  context.console.err((was ? "signed out of " : "nobody was signed in at ") + registry + "\n");
  co_return 0;
}

struct Tags {
  std::string repository;
};

void declare_tags(Options& options, Tags& tags) { options.required("REPOSITORY", tags.repository); }

task<int> tags(Context& context, Tags request) {
  http::ClientRequest get;
  get.path = "/v1/registries/tags";
  get.query.add("repository", request.repository);
  if (auto login = CredentialFile(context.environment).find(registry_of(request.repository)))
    get.headers.add("X-Registry-Auth", auth_header(*login));
  auto text = co_await context.client.call(std::move(get));
  auto answer = json::parse(text, "the daemon's answer");
  if (context.json()) context.print(answer);
  std::string lines;
  for (const auto& tag : json::from<std::vector<std::string>>(answer)) lines += tag + "\n";
  if (!context.json()) context.console.out(lines);
  co_return 0;
}

struct Repositories {};

void declare_repositories(Options&, Repositories&) {}

task<int> repositories(Context& context, Repositories) {
  http::ClientRequest get;
  get.path = "/v1/registry/repositories";
  auto text = co_await context.client.call(std::move(get));
  auto answer = json::parse(text, "the daemon's answer");
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  Table table({"REPOSITORY", "KIND", "TAGS", "MANIFESTS", "SIZE", "CAME"});
  for (const auto& repository : answer.as_array()) {
    auto pushed = json::from<Timestamp>(repository.at("pushed"));
    table.add({json::from<std::string>(repository.at("name")),
               json::from<bool>(repository.at("mirrored")) ? "mirror" : "own",
               std::to_string(json::from<std::uint64_t>(repository.at("tags"))),
               std::to_string(json::from<std::uint64_t>(repository.at("manifests"))),
               human_bytes(json::from<std::uint64_t>(repository.at("size"))), about(now() - pushed) + " ago"});
  }
  context.console.out(table.text());
  co_return 0;
}

struct Collect {
  bool untagged = false, all = false;
};

void declare_collect(Options& options, Collect& collect) {
  options.flag("--untagged", collect.untagged, "also manifests without a tag that no index and no subject needs")
      .flag("--now", collect.all, "also what came within the last hour; a push that is going on then fails");
}

task<int> collect(Context& context, Collect request) {
  boost::json::object body{{"untagged", request.untagged}};
  if (request.all) body["grace_seconds"] = 0;
  http::ClientRequest post;
  post.method = "POST";
  post.path = "/v1/registry/collect";
  post.body = boost::json::serialize(body);
  auto text = co_await context.client.call(std::move(post));
  auto answer = json::parse(text, "the daemon's answer");
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  auto count = [&](const char* name) { return json::from<std::uint64_t>(answer.at(name)); };
  context.console.out(fmt::format("{} given back: {} blobs, {} manifests, {} unfinished uploads\n",
                                  human_bytes(count("bytes")), count("blobs"), count("manifests"), count("uploads")));
  co_return 0;
}

}  // namespace

std::vector<Command> registry_commands() {
  return {
      {"pull",
       "Get an image from a registry",
       {"gantry pull debian:bookworm", "gantry pull --platform linux/arm64 registry.example/app:1"},
       prepare<Pull, declare_pull, pull>},
      {"push",
       "Send an image to the registry that its name says",
       {"gantry tag myapp registry.example/team/myapp:1 && gantry push registry.example/team/myapp:1"},
       prepare<Push, declare_push, push>},
      {"image cp",
       "Copy an image from one registry to another, without unpacking it",
       {"gantry image cp debian:bookworm registry.example/base/debian:bookworm",
        "gantry image cp --all --referrers docker://registry.example/app:1 docker://other.example/app:1"},
       prepare<ImageCopy, declare_image_copy, image_copy>},
      {"login",
       "Sign in at a registry (docker.io when none is named); kept where docker keeps it",
       {"gantry login registry.example", "pass registry | gantry login -u me --password-stdin registry.example"},
       prepare<SignIn, declare_login, login>},
      {"logout",
       "Forget the sign-in at a registry",
       {"gantry logout registry.example"},
       prepare<SignOut, declare_logout, logout>},
      {"registry tags",
       "List the tags of a repository at its registry",
       {"gantry registry tags registry.example/app"},
       prepare<Tags, declare_tags, tags>},
      {"registry ls",
       "List the repositories of the registry inside the daemon",
       {"gantry registry ls"},
       prepare<Repositories, declare_repositories, repositories>},
      {"registry gc",
       "Give back what nothing in the registry inside the daemon needs any more; it stays in use meanwhile",
       {"gantry registry gc --untagged   # hourly, without --untagged, it is done by itself"},
       prepare<Collect, declare_collect, collect>},
  };
}

}  // namespace gantry::cli
