#include "options.h"

#include <CLI/CLI.hpp>

#include <map>

#include "gantry/base/error.h"

namespace gantry::daemon {

std::optional<int> parse(int argc, char** argv, Options& options) {
  static const std::map<std::string, log::Level> kLevels{{"debug", log::Level::debug},
                                                         {"info", log::Level::info},
                                                         {"warn", log::Level::warn},
                                                         {"error", log::Level::error}};
  CLI::App app("gantryd, the Gantry daemon: owns all state of a host and serves the API.", "gantryd");
  app.add_option("--data-dir", options.data_dir, "what must survive a reboot")->capture_default_str();
  app.add_option("--run-dir", options.run_dir, "what need not; the socket is DIR/gantry.sock")->capture_default_str();
  app.add_option("--group", options.group, "group that may use the socket")->capture_default_str();
  app.add_option("--publish-address", options.publish_address,
                 "where ports are published that name no host address; 0.0.0.0: every address")
      ->capture_default_str();
  auto* tls = app.add_option("--docker-tls", options.docker_tls,
                             "serve the Docker Engine API over TLS on ADDRESS:PORT, to clients with a certificate");
  for (auto [name, file, what] :
       {std::tuple("--tlscert", &options.tls_certificate, "certificate of the server"),
        std::tuple("--tlskey", &options.tls_key, "its key"),
        std::tuple("--tlscacert", &options.tls_authority, "authority of the clients' certificates")})
    tls->needs(app.add_option(name, *file, what)->check(CLI::ExistingFile));
  app.add_option("--registry-mirror", options.registry_mirrors,
                 "URL of a mirror of docker.io, asked before it; may be given several times")
      ->allow_extra_args(false);
  declare(app, options.registry);
  auto budget = [&app](const char* name, disk::Limit& limit, const char* what) {
    auto take = [&limit](const std::string& text) {
      try {
        limit = disk::Limit::parse(text);
      } catch (const Error& error) {
        throw CLI::ValidationError(error.message());
      }
    };
    app.add_option_function<std::string>(name, take, what)->type_name("SIZE|PERCENT|none")->default_str(limit.str());
  };
  budget("--image-budget", options.budgets.images, "disk for images; beyond it unused ones go, by last use");
  budget("--cache-budget", options.budgets.cache, "disk for what builds keep; the same");
  budget("--log-budget", options.budgets.logs, "disk for logs of all containers; beyond it rotated files go");
  budget("--volume-budget", options.budgets.volumes, "disk for volumes; beyond it no new named ones are made");
  budget("--registry-proxy-budget", options.budgets.mirror,
         "disk for what the registry inside has of others; beyond it what was longest not used goes");
  app.add_option("--log-level", options.log_level, "debug, info, warn or error")
      ->transform(CLI::CheckedTransformer(kLevels, CLI::ignore_case))
      ->default_str("info");
  app.add_flag("--check", options.check, "check the host and end; status 1 when something essential is missing");
  std::string format;
  app.add_option("--format", format, "json: print the findings of --check as JSON")->check(CLI::IsMember({"json"}));
  app.set_version_flag("--version", std::string("gantryd ") + GANTRY_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    int status = app.exit(error);
    return status == 0 ? 0 : 2;
  }
  options.json = format == "json";
  options.data_dir = std::filesystem::absolute(options.data_dir);
  options.run_dir = std::filesystem::absolute(options.run_dir);
  return std::nullopt;
}

}  // namespace gantry::daemon
