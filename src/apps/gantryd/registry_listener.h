#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gantry/base/http_server.h"
#include "gantry/distribution/distribution.h"
#include "registry_proxies.h"

namespace CLI {
class App;
}

namespace gantry::daemon {

/// What the command line says about the registry inside.
struct RegistryOptions {
  std::string listen;  ///< ADDRESS:PORT; empty: it is not served
  std::filesystem::path certificate, key;
  std::filesystem::path htpasswd;
  std::vector<std::string> immutable;
  ProxyOptions proxy;
  bool insecure = false;
};

void declare(CLI::App& app, RegistryOptions& options);
distribution::Options distribution_options(const RegistryOptions& options, const std::filesystem::path& data_dir,
                                           std::shared_ptr<image::Vouchers> vouchers);
/// "ADDRESS:PORT" or "[ADDRESS]:PORT" of the option `name`. Error invalid.
std::pair<std::string, std::uint16_t> parse_endpoint(const std::string& name, const std::string& text);
/// Error invalid for what would be open to strangers: other addresses than loopback want a certificate and sign-in,
/// unless --registry-insecure says otherwise.
void require_safe(const RegistryOptions& options);
/// Returns the port.
std::uint16_t listen(http::Server& server, const RegistryOptions& options);

}  // namespace gantry::daemon
