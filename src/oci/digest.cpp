#include "gantry/oci/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "gantry/base/error.h"

namespace gantry::oci {

Digest Digest::parse(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  auto hex = text.starts_with(kPrefix) ? text.substr(kPrefix.size()) : std::string_view{};
  if (hex.size() != 64 || !std::all_of(hex.begin(), hex.end(), is_hex))
    throw Error(ErrorKind::invalid, "digest \"" + std::string(text) + "\": expected sha256: and 64 hexadecimal digits");
  return Digest(std::string(text));
}

Digest Digest::of(std::string_view data) {
  Hasher hasher;
  hasher.update(data);
  return hasher.finish();
}

struct Hasher::Impl {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

Hasher::Hasher() : impl_(std::make_unique<Impl>()) {
  if (!impl_->context || EVP_DigestInit_ex(impl_->context.get(), EVP_sha256(), nullptr) != 1)
    throw Error(ErrorKind::internal, "sha256: cannot be initialised");
}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(std::string_view data) {
  if (EVP_DigestUpdate(impl_->context.get(), data.data(), data.size()) != 1)
    throw Error(ErrorKind::internal, "sha256: cannot be updated");
}

Digest Hasher::finish() {
  std::array<unsigned char, 32> raw{};
  if (EVP_DigestFinal_ex(impl_->context.get(), raw.data(), nullptr) != 1)
    throw Error(ErrorKind::internal, "sha256: cannot be finished");
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "sha256:";
  for (unsigned char byte : raw) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return Digest(std::move(text));
}

}  // namespace gantry::oci
