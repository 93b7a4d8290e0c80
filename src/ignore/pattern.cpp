#include "gantry/ignore/pattern.h"

#include <cstdint>

#include "gantry/base/error.h"

namespace gantry::ignore {

namespace {

// Bytes that are not UTF-8 become values no text can hold, so that such names still match '?' and themselves.
constexpr char32_t kRawByte = 0x110000;

std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

std::u32string decode(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    auto lead = static_cast<unsigned char>(text[i]);
    std::size_t length = sequence_length(lead);
    bool valid = length != 0 && i + length <= text.size();
    char32_t value = length <= 1 ? lead : lead & (0x7Fu >> length);
    for (std::size_t k = 1; valid && k < length; ++k) {
      auto next = static_cast<unsigned char>(text[i + k]);
      valid = (next & 0xC0) == 0x80;
      value = (value << 6) | (next & 0x3Fu);
    }
    out.push_back(valid ? value : kRawByte + lead);
    i += valid ? length : 1;
  }
  return out;
}

[[noreturn]] void refuse(std::string_view pattern, std::string_view why) {
  throw Error(ErrorKind::invalid, "pattern \"" + std::string(pattern) + "\": " + std::string(why));
}

}  // namespace

bool Pattern::has_wildcards(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '*' || text[i] == '?' || text[i] == '[') {
      return true;
    }
  }
  return false;
}

Pattern::Pattern(std::string_view source)
    : text_(source), plain_(source.find_first_of("*?[\\") == std::string_view::npos) {
  auto text = decode(source);
  for (std::size_t i = 0; i < text.size(); ++i) {
    char32_t c = text[i];
    if (c == U'*' && i + 1 < text.size() && text[i + 1] == U'*') {
      while (i + 1 < text.size() && text[i + 1] == U'*') ++i;
      if (i + 1 < text.size() && text[i + 1] == U'/') ++i;
      if (i + 1 == text.size()) {
        tokens_.push_back({Kind::any, 0, false, {}});
      } else {
        tokens_.push_back({Kind::dirs_or_none, 0, false, {}});
        tokens_.push_back({Kind::dirs, 0, false, {}});
      }
    } else if (c == U'*') {
      tokens_.push_back({Kind::star, 0, false, {}});
    } else if (c == U'?') {
      tokens_.push_back({Kind::one, 0, false, {}});
    } else if (c == U'[') {
      i = read_set(text, i + 1);
    } else {
      if (c == U'\\' && ++i == text.size()) refuse(text_, "ends in a lone backslash");
      tokens_.push_back({Kind::literal, text[i], false, {}});
    }
  }
}

// Returns the index of the closing bracket.
std::size_t Pattern::read_set(std::u32string_view text, std::size_t at) {
  Token token{Kind::set, 0, false, {}};
  if (at < text.size() && text[at] == U'^') {
    token.negated = true;
    ++at;
  }
  auto character = [&] {
    if (at < text.size() && text[at] == U'\\') {
      ++at;
    } else if (at < text.size() && (text[at] == U'-' || text[at] == U']')) {
      refuse(text_, "a class holds '-' or ']' without '\\'");
    }
    if (at >= text.size()) refuse(text_, "a class is not closed by ']'");
    return text[at++];
  };
  while (token.ranges.empty() || at >= text.size() || text[at] != U']') {
    char32_t low = character();
    char32_t high = low;
    if (at < text.size() && text[at] == U'-') {
      ++at;
      high = character();
    }
    token.ranges.emplace_back(low, high);
  }
  tokens_.push_back(std::move(token));
  return at;
}

// A state is the index of the token to match next; tokens that may match nothing let the following one in as well.
void Pattern::add_states(std::vector<bool>& states, std::size_t index) const {
  while (!states[index]) {
    states[index] = true;
    if (index == tokens_.size()) return;
    Kind kind = tokens_[index].kind;
    if (kind == Kind::dirs_or_none) {
      states[index + 1] = true;
      index += 2;
    } else if (kind == Kind::star || kind == Kind::any) {
      index += 1;
    } else {
      return;
    }
  }
}

void Pattern::step(const Token& token, std::size_t index, char32_t c, std::vector<bool>& next) const {
  bool taken = false;
  switch (token.kind) {
    case Kind::literal:
      taken = c == token.character;
      break;
    case Kind::one:
      taken = c != U'/';
      break;
    case Kind::set:
      for (auto [low, high] : token.ranges) taken = taken || (low <= c && c <= high);
      taken = taken != token.negated && c != U'/';
      break;
    case Kind::star:
      if (c != U'/') add_states(next, index);
      break;
    case Kind::any:
      add_states(next, index);
      break;
    case Kind::dirs:
      next[index] = true;
      taken = c == U'/';
      break;
    case Kind::dirs_or_none:
      break;
  }
  if (taken) add_states(next, index + 1);
}

bool Pattern::matches(std::string_view path) const {
  if (plain_) return path == text_;
  std::vector<bool> states(tokens_.size() + 1), next(tokens_.size() + 1);
  add_states(states, 0);
  for (char32_t c : decode(path)) {
    next.assign(next.size(), false);
    for (std::size_t i = 0; i < tokens_.size(); ++i)
      if (states[i]) step(tokens_[i], i, c, next);
    states.swap(next);
  }
  return states.back();
}

}  // namespace gantry::ignore
