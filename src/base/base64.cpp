#include "gantry/base/base64.h"

namespace gantry {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::optional<unsigned> value_of(char c) {
  if (c == '-') c = '+';
  if (c == '_') c = '/';
  auto at = kAlphabet.find(c);
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<unsigned>(at);
}

}  // namespace

std::string encode_base64(std::string_view data) {
  std::string out;
  unsigned bits = 0, held = 0;
  for (unsigned char byte : data) {
    held = (held << 8 | byte) & 0xffff;
    for (bits += 8; bits >= 6; bits -= 6) out += kAlphabet[held >> (bits - 6) & 63];
  }
  if (bits > 0) out += kAlphabet[held << (6 - bits) & 63];
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

std::optional<std::string> decode_base64(std::string_view text) {
  while (!text.empty() && (text.back() == '=' || text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  std::string out;
  unsigned bits = 0, held = 0;
  for (char c : text) {
    auto value = value_of(c);
    if (!value) return std::nullopt;
    held = (held << 6 | *value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(held >> bits & 0xff);
  }
  if (bits >= 6) return std::nullopt;
  return out;
}

std::string encode_base64url(std::string_view data) {
  auto text = encode_base64(data);
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

}  // namespace gantry
