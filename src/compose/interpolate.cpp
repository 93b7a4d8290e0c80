#include "interpolate.h"

#include <fmt/format.h>

namespace gantry::compose {

namespace {

constexpr int kMaximumNesting = 32;
constexpr std::size_t kMaximumProduced = 64u << 20;

bool is_name_start(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_name_part(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

std::size_t name_length(std::string_view text) {
  if (text.empty() || !is_name_start(text[0])) return 0;
  std::size_t length = 1;
  while (length < text.size() && is_name_part(text[length])) ++length;
  return length;
}

/// The length of what stands before the brace that closes an already opened one.
std::optional<std::size_t> find_closing(std::string_view text) {
  int open = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '$') {
      ++i;
    } else if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') {
      ++open;
      ++i;
    } else if (text[i] == '}' && --open == 0) {
      return i;
    }
  }
  return std::nullopt;
}

}  // namespace

void Interpolator::fail(std::string message) { findings_.invalid(place_, std::move(message)); }

void Interpolator::append(std::string& out, std::string_view more) {
  produced_ += more.size();
  if (produced_ > kMaximumProduced) throw Error(ErrorKind::invalid, "the compose file grows too big by interpolation");
  out += more;
}

std::string Interpolator::variable(const std::string& name) {
  if (auto value = lookup_(name)) return *value;
  if (warned_.insert(name).second)
    findings_.warn(place_, fmt::format("the variable '{}' is not set; an empty string takes its place", name));
  return {};
}

std::string Interpolator::braced(std::string_view inside, int depth) {
  auto length = name_length(inside);
  std::string name(inside.substr(0, length));
  auto rest = inside.substr(length);
  if (length == 0) {
    fail(fmt::format("invalid interpolation '${{{}}}': a variable's name is expected after '${{'", inside));
    return {};
  }
  if (rest.empty()) return variable(name);
  bool empty_counts_as_unset = rest[0] == ':';
  if (empty_counts_as_unset) rest.remove_prefix(1);
  char operation = rest.empty() ? '\0' : rest[0];
  if (operation != '-' && operation != '?' && operation != '+') {
    fail(fmt::format("invalid interpolation '${{{}}}': after the name, one of ':-', '-', ':?', '?', ':+', '+' or '}}'",
                     inside));
    return {};
  }
  rest.remove_prefix(1);
  auto value = lookup_(name);
  bool is_set = value && !(empty_counts_as_unset && value->empty());
  if (operation == '+') return is_set ? expand(rest, depth + 1) : std::string();
  if (is_set) return *value;
  auto word = expand(rest, depth + 1);
  if (operation == '-') return word;
  fail(fmt::format("the required variable '{}' is not set{}{}", name, word.empty() ? "" : ": ", word));
  return {};
}

std::string Interpolator::expand(std::string_view text, int depth) {
  if (depth > kMaximumNesting) {
    fail(fmt::format("interpolation nested deeper than {} levels", kMaximumNesting));
    return {};
  }
  std::string out;
  for (;;) {
    auto dollar = text.find('$');
    append(out, text.substr(0, dollar));
    if (dollar == std::string_view::npos) return out;
    text.remove_prefix(dollar + 1);
    if (text.starts_with('$')) {
      append(out, "$");
      text.remove_prefix(1);
    } else if (text.starts_with('{')) {
      auto closing = find_closing(text.substr(1));
      if (!closing) {
        fail(fmt::format("invalid interpolation '${}': the closing '}}' is missing", text.substr(0, 40)));
        return out;
      }
      append(out, braced(text.substr(1, *closing), depth));
      text.remove_prefix(*closing + 2);
    } else if (auto length = name_length(text); length > 0) {
      append(out, variable(std::string(text.substr(0, length))));
      text.remove_prefix(length);
    } else {
      append(out, "$");
    }
  }
}

std::string Interpolator::text(std::string_view text, const Place& place) {
  place_ = place;
  return expand(text, 0);
}

void Interpolator::tree(Node& node) {
  if (node.is_scalar() && node.text.find('$') != std::string::npos) {
    node.text = text(node.text, node.place);
    node.plain = false;
  }
  for (auto& item : node.items) tree(item);
  for (auto& entry : node.entries) {
    if (!entry.key.starts_with("x-")) tree(entry.value);
  }
}

}  // namespace gantry::compose
