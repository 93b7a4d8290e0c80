#include "gantry/base/ids.h"

#include <sys/random.h>

#include <array>
#include <cerrno>

#include "gantry/base/error.h"

namespace gantry {

std::string random_hex(std::size_t length) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::array<unsigned char, 64> bytes{};
  std::string out;
  out.reserve(length);
  while (out.size() < length) {
    if (::getrandom(bytes.data(), bytes.size(), 0) < 0) {
      if (errno == EINTR) continue;
      throw_errno("getrandom");
    }
    for (std::size_t i = 0; i < bytes.size() && out.size() < length; ++i) {
      out.push_back(kDigits[bytes[i] >> 4]);
      if (out.size() < length) out.push_back(kDigits[bytes[i] & 15]);
    }
  }
  return out;
}

bool is_valid_name(std::string_view name) {
  auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > 128 || !alphanumeric(name[0])) return false;
  for (char c : name)
    if (!alphanumeric(c) && c != '_' && c != '.' && c != '-') return false;
  return true;
}

void require_valid_name(std::string_view what, std::string_view name) {
  if (!is_valid_name(name))
    throw Error(ErrorKind::invalid, "invalid " + std::string(what) + " name '" + std::string(name) + "'",
                "use letters, digits, '_', '.' and '-', starting with a letter or digit, 128 characters at most");
}

}  // namespace gantry
