#include "dockerfile/expand.h"

#include <cctype>
#include <map>

#include "gantry/base/error.h"

namespace gantry::build {

namespace {

bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// Shell patterns as ${name#p} takes them: '*', '?' and '\'. Two pointers with one step back, so linear times linear.
bool glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    bool escaped = p < pattern.size() && pattern[p] == '\\' && p + 1 < pattern.size();
    char wanted = p < pattern.size() ? pattern[escaped ? p + 1 : p] : '\0';
    if (p < pattern.size() && !escaped && wanted == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && ((!escaped && wanted == '?') || wanted == text[t])) {
      p += escaped ? 2 : 1;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string without_prefix(const std::string& value, const std::string& pattern, bool longest) {
  for (std::size_t i = 0; i <= value.size(); ++i) {
    std::size_t length = longest ? value.size() - i : i;
    if (glob(pattern, std::string_view(value).substr(0, length))) return value.substr(length);
  }
  return value;
}

std::string without_suffix(const std::string& value, const std::string& pattern, bool longest) {
  for (std::size_t i = 0; i <= value.size(); ++i) {
    std::size_t start = longest ? i : value.size() - i;
    if (glob(pattern, std::string_view(value).substr(start))) return value.substr(0, start);
  }
  return value;
}

std::string replaced(const std::string& value, const std::string& pattern, const std::string& by, bool all) {
  std::string out;
  for (std::size_t at = 0; at < value.size();) {
    std::size_t length = value.size() - at;
    while (length > 0 && !glob(pattern, std::string_view(value).substr(at, length))) --length;
    if (length == 0) {
      out += value[at++];
      continue;
    }
    out += by;
    at += length;
    if (!all) return out + value.substr(at);
  }
  return out;
}

enum class Quotes { processed, kept };

class Expander {
 public:
  Expander(std::string_view text, const Lookup& lookup, char escape, Quotes quotes)
      : text_(text), lookup_(lookup), escape_(escape), quotes_(quotes) {}

  std::string run() { return until('\0', false); }

 private:
  // `raw_escapes` keeps the escape character, for patterns that need it.
  std::string until(char stop, bool raw_escapes) {
    std::string out;
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (stop != '\0' && c == stop) {
        ++at_;
        return out;
      }
      if (c == '$') {
        out += dollar();
      } else if (c == escape_) {
        out += escaped(raw_escapes);
      } else if (quotes_ == Quotes::processed && c == '\'') {
        out += single_quoted();
      } else if (quotes_ == Quotes::processed && c == '"') {
        out += double_quoted();
      } else {
        out += c;
        ++at_;
      }
    }
    if (stop != '\0') refuse(std::string("\"") + stop + "\" is missing in");
    return out;
  }

  std::string escaped(bool raw) {
    ++at_;
    if (at_ == text_.size()) return quotes_ == Quotes::kept ? std::string(1, escape_) : "";
    char c = text_[at_++];
    bool keep = raw || (quotes_ == Quotes::kept && c != '$' && c != escape_);
    return keep ? std::string{escape_, c} : std::string(1, c);
  }

  std::string single_quoted() {
    auto end = text_.find('\'', at_ + 1);
    if (end == std::string_view::npos) refuse("the closing ' is missing in");
    std::string out(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return out;
  }

  std::string double_quoted() {
    std::string out;
    for (++at_; at_ < text_.size();) {
      char c = text_[at_];
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '$') {
        out += dollar();
        continue;
      }
      ++at_;
      if (c != escape_ || at_ == text_.size()) {
        out += c;
        continue;
      }
      char next = text_[at_++];
      if (next != '"' && next != '$' && next != escape_) out += c;
      out += next;
    }
    refuse("the closing \" is missing in");
  }

  std::string dollar() {
    ++at_;
    if (at_ < text_.size() && text_[at_] == '{') {
      ++at_;
      return braced();
    }
    auto name = take_name();
    if (name.empty()) return "$";
    return lookup_(name).value_or("");
  }

  std::string take_name() {
    auto start = at_;
    if (at_ < text_.size() && is_name_start(text_[at_])) {
      while (at_ < text_.size() && (is_name_start(text_[at_]) || is_digit(text_[at_]))) ++at_;
    } else {
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }

  std::string braced() {
    if (++depth_ > kDeepest) refuse("too many nested ${ in");
    auto name = take_name();
    if (name.empty() || at_ == text_.size()) refuse("bad substitution in");
    auto value = lookup_(name);
    std::string result;
    if (text_[at_] == '}') {
      ++at_;
      result = value.value_or("");
    } else {
      result = modified(name, value);
    }
    --depth_;
    return result;
  }

  std::string modified(const std::string& name, const std::optional<std::string>& value) {
    char operation = text_[at_++];
    bool colon = operation == ':';
    if (colon) {
      if (at_ == text_.size()) refuse("bad substitution in");
      operation = text_[at_++];
      if (operation != '-' && operation != '+' && operation != '?') refuse("unsupported modifier in");
    }
    bool present = value && !(colon && value->empty());
    switch (operation) {
      case '-': {
        auto word = until('}', false);
        return present ? *value : word;
      }
      case '+': {
        auto word = until('}', false);
        return present ? word : "";
      }
      case '?': {
        auto word = until('}', false);
        if (!present) throw Error(ErrorKind::invalid, name + ": " + (word.empty() ? "is not set" : word));
        return *value;
      }
      case '#':
      case '%':
        return trimmed(operation, value.value_or(""));
      case '/':
        return substituted(value.value_or(""));
      default:
        refuse("unsupported modifier in");
    }
  }

  bool doubled(char operation) {
    if (at_ == text_.size() || text_[at_] != operation) return false;
    ++at_;
    return true;
  }

  std::string trimmed(char operation, const std::string& value) {
    bool longest = doubled(operation);
    auto pattern = until('}', true);
    return operation == '#' ? without_prefix(value, pattern, longest) : without_suffix(value, pattern, longest);
  }

  std::string substituted(const std::string& value) {
    bool all = doubled('/');
    auto pattern = until('/', true);
    auto by = until('}', false);
    return replaced(value, pattern, by, all);
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ErrorKind::invalid, why + " \"" + std::string(text_.substr(0, 80)) + "\"");
  }

  static constexpr int kDeepest = 50;
  std::string_view text_;
  const Lookup& lookup_;
  char escape_;
  Quotes quotes_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::string expand_word(std::string_view word, const Lookup& lookup, char escape) {
  return Expander(word, lookup, escape, Quotes::processed).run();
}

std::string expand_heredoc(std::string_view text, const Lookup& lookup) {
  return Expander(text, lookup, '\\', Quotes::kept).run();
}

}  // namespace gantry::build
