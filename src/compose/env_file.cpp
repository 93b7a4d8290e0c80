#include "env_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "text.h"

namespace gantry::compose {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

bool is_valid_variable(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (char c : name) {
    bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!word && c != '_' && c != '.' && c != '-') return false;
  }
  return true;
}

class EnvParser {
 public:
  EnvParser(std::string_view text, const Source& source, const Lookup& lookup, EnvFormat format, Findings& findings)
      : text_(text),
        source_(source),
        format_(format),
        findings_(findings),
        interpolator_(
            [this, &lookup](const std::string& name) -> std::optional<std::string> {
              auto found = variables_.find(name);
              if (found != variables_.end() && found->second) return found->second;
              return lookup(name);
            },
            findings) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  }

  EnvFile run() {
    for (; at_ < text_.size(); ++line_) entry();
    return std::move(variables_);
  }

 private:
  Place place() const { return {&source_, line_, 1}; }
  std::string_view rest_of_line() const { return text_.substr(at_, text_.find('\n', at_) - at_); }
  void skip_line() { at_ = std::min(text_.find('\n', at_), text_.size() - 1) + 1; }

  void entry() {
    auto line = trim(rest_of_line());
    if (line.empty() || line.starts_with('#')) return skip_line();
    if (line.starts_with("export ") || line.starts_with("export\t")) line = trim(line.substr(7));
    auto equals = line.find('=');
    std::string name(trim(line.substr(0, equals)));
    if (!is_valid_variable(name)) {
      findings_.invalid(place(), fmt::format("'{}' is not a variable's name", name.substr(0, 60)));
      return skip_line();
    }
    if (equals == std::string_view::npos) {
      variables_[name] = std::nullopt;
      return skip_line();
    }
    at_ = text_.find('=', at_) + 1;
    if (auto value = read_value()) variables_[name] = std::move(value);
  }

  std::optional<std::string> read_value() {
    if (format_ == EnvFormat::raw) return raw_value();
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    if (at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"')) return quoted_value(text_[at_]);
    return plain_value();
  }

  std::string raw_value() {
    std::string value(rest_of_line());
    if (value.ends_with('\r')) value.pop_back();
    skip_line();
    return value;
  }

  std::string plain_value() {
    auto value = rest_of_line();
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (value[i] == '#' && (i == 0 || is_blank(value[i - 1]))) value = value.substr(0, i);
    }
    auto result = interpolator_.text(trim(value), place());
    skip_line();
    return result;
  }

  /// Quoted values may span lines. A backslash escapes the quote; in double quotes also the usual shell escapes.
  std::optional<std::string> quoted_value(char quote) {
    auto start = place();
    std::string value;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        escape(quote, value);
      } else {
        value += text_[at_];
      }
    }
    if (at_ >= text_.size()) {
      findings_.invalid(start, fmt::format("the closing {} is missing", quote));
      return std::nullopt;
    }
    ++at_;
    auto rest = trim(rest_of_line());
    if (!rest.empty() && !rest.starts_with('#'))
      findings_.invalid(place(), fmt::format("unexpected '{}' after the closing {}", rest.substr(0, 20), quote));
    skip_line();
    return quote == '"' ? interpolator_.text(value, start) : value;
  }

  void escape(char quote, std::string& value) {
    static constexpr std::string_view kNames = "nrt\\";
    static constexpr std::string_view kValues = "\n\r\t\\";
    char next = text_[at_ + 1];
    if (next == quote) {
      value += next;
    } else if (auto found = kNames.find(next); quote == '"' && found != std::string_view::npos) {
      value += kValues[found];
    } else if (quote == '"' && next == '$') {
      value += "$$";
    } else {
      value += '\\';
      return;
    }
    ++at_;
  }

  std::string_view text_;
  const Source& source_;
  EnvFormat format_;
  Findings& findings_;
  EnvFile variables_;
  Interpolator interpolator_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

EnvFile parse_env_file(std::string_view text, const Source& source, const Lookup& lookup, EnvFormat format,
                       Findings& findings) {
  if (auto bad = find_bad_character(text, Controls::allow)) {
    auto line = static_cast<int>(std::ranges::count(text.substr(0, *bad), '\n')) + 1;
    findings.invalid({&source, line, 1}, "a byte that is not text in UTF-8");
    return {};
  }
  return EnvParser(text, source, lookup, format, findings).run();
}

}  // namespace gantry::compose
