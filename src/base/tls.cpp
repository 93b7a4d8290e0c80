#include "gantry/base/tls.h"

#include "gantry/base/error.h"

namespace gantry::tls {
namespace {

using boost::asio::ssl::context;

void require(boost::system::error_code failed, const std::string& what, const std::filesystem::path& file) {
  if (failed)
    throw Error(ErrorKind::invalid, what + " " + file.string() + ": " + failed.message(),
                "give a PEM file that the daemon can read");
}

}  // namespace

std::shared_ptr<context> make_context(context::method method) {
  auto out = std::make_shared<context>(method);
  out->set_options(context::no_sslv2 | context::no_sslv3 | context::no_tlsv1 | context::no_tlsv1_1);
  return out;
}

void use_certificate(context& target, const std::string& what, const std::filesystem::path& file) {
  boost::system::error_code failed;
  target.use_certificate_chain_file(file.string(), failed);
  require(failed, what, file);
}

void use_key(context& target, const std::string& what, const std::filesystem::path& file) {
  boost::system::error_code failed;
  target.use_private_key_file(file.string(), context::pem, failed);
  require(failed, what, file);
}

void use_authority(context& target, const std::string& what, const std::filesystem::path& file) {
  boost::system::error_code failed;
  target.load_verify_file(file.string(), failed);
  require(failed, what, file);
}

}  // namespace gantry::tls
