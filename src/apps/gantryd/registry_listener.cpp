#include "registry_listener.h"

#include <CLI/CLI.hpp>

#include <charconv>

namespace gantry::daemon {
namespace {

bool is_loopback(const std::string& address) {
  boost::system::error_code failed;
  auto parsed = asio::ip::make_address(address, failed);
  return !failed && parsed.is_loopback();
}

}  // namespace

void declare(CLI::App& app, RegistryOptions& options) {
  auto* listen = app.add_option("--registry-listen", options.listen, "serve the registry inside on ADDRESS:PORT");
  auto* certificate = app.add_option("--registry-tls-cert", options.certificate, "certificate of the registry")
                          ->check(CLI::ExistingFile);
  auto* key = app.add_option("--registry-tls-key", options.key, "its key")->check(CLI::ExistingFile);
  certificate->needs(listen)->needs(key);
  key->needs(certificate);
  app.add_option("--registry-htpasswd", options.htpasswd, "who may use the registry: a file of 'htpasswd -B'")
      ->check(CLI::ExistingFile)
      ->needs(listen);
  app.add_option(
         "--registry-immutable", options.immutable,
         "pattern over REPOSITORY:TAG of tags that are never given to another image; may be given several times")
      ->allow_extra_args(false);
  app.add_flag("--registry-insecure", options.insecure,
               "serve the registry without TLS or without sign-in on other addresses than loopback")
      ->needs(listen);
  declare(app, *listen, options.proxy);
}

distribution::Options distribution_options(const RegistryOptions& options, const std::filesystem::path& data_dir,
                                           std::shared_ptr<image::Vouchers> vouchers) {
  distribution::Options out;
  out.root = data_dir / "registry";
  out.immutable = options.immutable;
  out.vouchers = std::move(vouchers);
  return out;
}

std::pair<std::string, std::uint16_t> parse_endpoint(const std::string& name, const std::string& text) {
  auto colon = text.rfind(':');
  auto address = text.substr(0, colon == std::string::npos ? 0 : colon);
  auto port = colon == std::string::npos ? std::string() : text.substr(colon + 1);
  std::uint16_t number = 0;
  auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || failed != std::errc() || end != port.data() + port.size())
    throw Error(ErrorKind::invalid, name + " " + text + ": expected ADDRESS:PORT", "for example 127.0.0.1:5000");
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  return {address.empty() ? "0.0.0.0" : address, number};
}

void require_safe(const RegistryOptions& options) {
  if (options.listen.empty() || options.insecure) return;
  auto [address, port] = parse_endpoint("--registry-listen", options.listen);
  if (is_loopback(address)) return;
  if (options.certificate.empty() || options.htpasswd.empty())
    throw Error(ErrorKind::invalid, "--registry-listen " + options.listen + " would let anybody push and pull images",
                "give --registry-tls-cert, --registry-tls-key and --registry-htpasswd, listen on 127.0.0.1, or say "
                "--registry-insecure");
}

std::uint16_t listen(http::Server& server, const RegistryOptions& options) {
  auto [address, port] = parse_endpoint("--registry-listen", options.listen);
  if (options.certificate.empty()) return server.listen(http::TcpEndpoint{.address = address, .port = port});
  return server.listen(http::TlsEndpoint{
      .address = address, .port = port, .certificate = options.certificate, .key = options.key, .authority = {}});
}

}  // namespace gantry::daemon
