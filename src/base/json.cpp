#include "gantry/base/json.h"

#include <array>
#include <charconv>

namespace gantry::json {
namespace {

void indent_into(std::string& out, const bj::value& value, std::size_t depth) {
  const std::string pad(2 * (depth + 1), ' ');
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    out += "{\n";
    bool first = true;
    for (const auto& [key, element] : *object) {
      if (!first) out += ",\n";
      first = false;
      out += pad;
      detail::print_string(out, key);
      out += ": ";
      indent_into(out, element, depth + 1);
    }
    out += "\n" + std::string(2 * depth, ' ') + "}";
  } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
    out += "[\n";
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i != 0) out += ",\n";
      out += pad;
      indent_into(out, (*array)[i], depth + 1);
    }
    out += "\n" + std::string(2 * depth, ' ') + "]";
  } else {
    out += bj::serialize(value);
  }
}

}  // namespace

bj::value parse(std::string_view text, std::string_view what) {
  boost::json::error_code failed;
  bj::parse_options options;
  options.max_depth = 64;
  // One block after another for all of it: it is read once and goes as a whole.
  auto memory = bj::make_shared_resource<bj::monotonic_resource>();
  auto value = bj::parse(text, failed, std::move(memory), options);
  if (failed) throw Error(ErrorKind::invalid, std::string(what) + ": not valid JSON: " + failed.message());
  return value;
}

std::string pretty(const bj::value& value) {
  std::string out;
  indent_into(out, value, 0);
  return out;
}

namespace detail {

std::string Path::text() const {
  if (parent == nullptr) return "$";
  return parent->text() + (key.empty() ? "[" + std::to_string(index) + "]" : "." + std::string(key));
}

void refuse(const Path& path, std::string_view expected) {
  throw Error(ErrorKind::invalid, path.text() + ": expected " + std::string(expected));
}

namespace {

constexpr auto kPlain = [] {
  std::array<bool, 256> out{};
  for (std::size_t c = 0x20; c < out.size(); ++c) out[c] = c != '"' && c != '\\';
  return out;
}();

void escape(std::string& out, char c) {
  constexpr std::string_view kNamed = "\"\"\\\\\bb\ff\nn\rr\tt";  // what it is, and its letter
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < kNamed.size(); i += 2) {
    if (kNamed[i] != c) continue;
    out += '\\';
    out += kNamed[i + 1];
    return;
  }
  auto code = static_cast<unsigned char>(c);
  out += "\\u00";
  out += kDigits[code >> 4];
  out += kDigits[code & 15];
}

template <class N>
void print_digits(std::string& out, N number) {
  char digits[24];
  auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

}  // namespace

void print_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && kPlain[static_cast<unsigned char>(text[plain])]) ++plain;
    out.append(text, 0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    escape(out, text.front());
    text.remove_prefix(1);
  }
  out += '"';
}

void print_number(std::string& out, std::int64_t number) { print_digits(out, number); }
void print_number(std::string& out, std::uint64_t number) { print_digits(out, number); }

}  // namespace detail

}  // namespace gantry::json
