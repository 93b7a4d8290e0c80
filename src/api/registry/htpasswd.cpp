#include "htpasswd.h"

#include <crypt.h>
#include <openssl/crypto.h>

#include <sstream>

#include "gantry/base/base64.h"
#include "gantry/base/files.h"
#include "gantry/base/ids.h"
#include "gantry/base/log.h"
#include "gantry/distribution/error.h"
#include "gantry/oci/digest.h"

namespace gantry::api::registry_front {
namespace {

using distribution::Code;
using distribution::RegistryError;

constexpr std::size_t kMostRemembered = 1000;
constexpr int kAskedAtOnce = 2;
constexpr uid_t kNobody = 65534;
// Hashes nothing anybody knows: an unknown name takes as long as a known one.
constexpr char kNobodysHash[] = "$2y$10$abcdefghijklmnopqrstuuJ1BPyLcMx0jq5jWwIVV1pNZo9jq9Cry";

struct Credentials {
  std::string name, password;
};

std::optional<Credentials> credentials_of(const http::Request& request) {
  const auto* field = request.headers.find("Authorization");
  if (field == nullptr || field->size() < 6 || strncasecmp(field->c_str(), "basic ", 6) != 0) return std::nullopt;
  auto text = decode_base64(std::string_view(*field).substr(6));
  auto colon = text ? text->find(':') : std::string::npos;
  if (colon == std::string::npos) return std::nullopt;
  return Credentials{text->substr(0, colon), text->substr(colon + 1)};
}

bool fits(const std::string& password, const std::string& hash) {
  auto data = std::make_unique<crypt_data>();
  const char* made = ::crypt_r(password.c_str(), hash.c_str(), data.get());
  std::string_view text = made != nullptr ? made : "";
  return text.size() == hash.size() && CRYPTO_memcmp(text.data(), hash.data(), hash.size()) == 0;
}

}  // namespace

Htpasswd::Htpasswd(std::filesystem::path file, WorkerPool& pool)
    : file_(std::move(file)), pool_(pool), secret_(random_hex(64)) {
  if (!file_.empty()) entries_ = read(file_);
}

Htpasswd::Entries Htpasswd::read(const std::filesystem::path& file) {
  Entries out;
  out.changed = std::filesystem::last_write_time(file);
  std::istringstream lines(read_file(file, 16u << 20));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line.starts_with('#')) continue;
    auto colon = line.find(':');
    auto hash = colon == std::string::npos ? std::string() : line.substr(colon + 1);
    bool bcrypt = hash.starts_with("$2y$") || hash.starts_with("$2b$") || hash.starts_with("$2a$");
    if (colon == 0 || !bcrypt)
      throw Error(ErrorKind::invalid, file.string() + ":" + std::to_string(number) + ": not 'name:bcrypt hash'",
                  "write it with 'htpasswd -B'");
    out.hashes[line.substr(0, colon)] = hash;
  }
  return out;
}

std::string Htpasswd::key_of(const std::string& name, const std::string& password) const {
  auto entry = entries_.hashes.find(name);
  auto hash = entry != entries_.hashes.end() ? entry->second : std::string();
  std::string text = secret_;
  for (const auto& part : {name, password, hash}) text += std::to_string(part.size()) + ":" + part;
  return oci::Digest::of(text).hex();
}

bool Htpasswd::verify(const std::string& name, const std::string& password) {
  std::error_code failed;
  auto changed = std::filesystem::last_write_time(file_, failed);
  std::string hash;
  bool exists = false;
  {
    std::lock_guard lock(mutex_);
    if (!failed && changed != entries_.changed) {
      try {
        entries_ = read(file_);
        right_.clear();
      } catch (const Error& error) {
        log::error("registry: {}; the names of before are still valid", error.message());
        entries_.changed = changed;
      }
    }
    auto found = entries_.hashes.find(name);
    exists = found != entries_.hashes.end();
    hash = exists ? found->second : kNobodysHash;
  }
  if (!fits(password, hash) || !exists) return false;
  std::lock_guard lock(mutex_);
  if (right_.size() >= kMostRemembered) right_.clear();
  right_.insert(key_of(name, password));
  return true;
}

task<> Htpasswd::look_up(const http::Request& request) {
  auto credentials = credentials_of(request);
  if (file_.empty() || !credentials || known(request)) co_return;
  {
    std::lock_guard lock(mutex_);
    if (asked_ >= kAskedAtOnce)
      throw RegistryError(Code::TOOMANYREQUESTS, ErrorKind::unavailable, "too many sign in at once", "try again");
    ++asked_;
  }
  auto work = [this, credentials = *credentials] {
    struct Counted {
      Htpasswd& users;
      ~Counted() {
        std::lock_guard lock(users.mutex_);
        --users.asked_;
      }
    } counted{*this};
    verify(credentials.name, credentials.password);
  };
  co_await pool_.run(std::move(work));
}

std::optional<std::string> Htpasswd::known(const http::Request& request) const {
  if (file_.empty()) return "anonymous";
  auto credentials = credentials_of(request);
  if (!credentials) return std::nullopt;
  std::lock_guard lock(mutex_);
  if (!right_.contains(key_of(credentials->name, credentials->password))) return std::nullopt;
  return credentials->name;
}

Principal RegistryAuthenticator::authenticate(const http::Request& request) const {
  auto name = users_.known(request);
  if (!name)
    throw RegistryError(Code::UNAUTHORIZED, ErrorKind::unauthenticated, "this registry wants to know who you are",
                        "sign in: 'docker login' or 'gantry login'");
  Principal principal;
  principal.name = "registry user " + *name;
  principal.uid = kNobody;
  return principal;
}

void RegistryAuthorizer::authorize(const Principal& principal, const Access& access) const {
  if (access.action.starts_with("distribution.")) return;
  throw Error(ErrorKind::denied, principal.name + " may not " + access.action);
}

}  // namespace gantry::api::registry_front
