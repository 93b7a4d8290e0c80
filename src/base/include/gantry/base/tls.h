#pragma once

#include <boost/asio/ssl.hpp>

#include <filesystem>
#include <memory>
#include <string>

/// What both ends of TLS need: TLS 1.2 and newer, with PEM files. Errors are `invalid`: `what`, the file, and what is
/// wrong with it.
namespace gantry::tls {

std::shared_ptr<boost::asio::ssl::context> make_context(boost::asio::ssl::context::method method);
/// With the certificates above it, in one file.
void use_certificate(boost::asio::ssl::context& context, const std::string& what, const std::filesystem::path& file);
void use_key(boost::asio::ssl::context& context, const std::string& what, const std::filesystem::path& file);
/// Whom to believe when the other end shows a certificate.
void use_authority(boost::asio::ssl::context& context, const std::string& what, const std::filesystem::path& file);

}  // namespace gantry::tls
