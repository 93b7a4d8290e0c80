#pragma once

#include <compare>
#include <memory>
#include <string>
#include <string_view>

/// OCI image specification, "Digests": algorithm ":" encoded. Only sha256 is accepted.
namespace gantry::oci {

class Digest {
 public:
  Digest() = default;
  /// Error invalid unless "sha256:" and 64 lower-case hexadecimal digits.
  static Digest parse(std::string_view text);
  static Digest of(std::string_view data);
  const std::string& str() const { return text_; }
  std::string hex() const { return text_.substr(7); }
  bool empty() const { return text_.empty(); }
  auto operator<=>(const Digest&) const = default;

 private:
  explicit Digest(std::string text) : text_(std::move(text)) {}
  friend class Hasher;
  std::string text_;
};

/// SHA-256 in pieces.
class Hasher {
 public:
  Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();
  void update(std::string_view data);
  /// Once.
  Digest finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::oci
