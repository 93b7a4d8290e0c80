#include "gantry/ignore/ignore_file.h"

#include "gantry/base/error.h"
#include "gantry/base/files.h"

namespace gantry::ignore {

namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// Go's filepath.Clean, then the leading '/' is dropped: rules count from the context's root.
std::string clean(std::string_view text) {
  std::vector<std::string_view> segments;
  bool rooted = text.starts_with('/');
  for (std::size_t at = 0; at <= text.size();) {
    auto end = std::min(text.find('/', at), text.size());
    auto segment = text.substr(at, end - at);
    at = end + 1;
    if (segment.empty() || segment == ".") continue;
    bool can_leave = !segments.empty() && segments.back() != "..";
    if (segment != "..") {
      segments.push_back(segment);
    } else if (can_leave) {
      segments.pop_back();
    } else if (!rooted) {
      segments.push_back(segment);
    }
  }
  std::string out;
  for (auto segment : segments) out.append(out.empty() ? "" : "/").append(segment);
  return out;
}

template <class F>
bool any_parent_or_self(std::string_view path, F&& check) {
  for (auto slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1))
    if (check(path.substr(0, slash))) return true;
  return check(path);
}

}  // namespace

IgnoreFile::Rule IgnoreFile::make_rule(std::string_view line) {
  bool exception = line.starts_with('!');
  if (exception) line = trim(line.substr(1));
  if (exception && line.empty()) throw Error(ErrorKind::invalid, "\"!\" without a pattern");
  std::string text = clean(line);
  Rule rule{Pattern(text), exception, {}, text.find("**") != std::string::npos};
  if (!exception) return rule;
  any_parent_or_self(text, [&](std::string_view prefix) {
    if (prefix.find("**") != std::string_view::npos) return true;
    rule.prefixes.emplace_back(prefix);
    return false;
  });
  return rule;
}

IgnoreFile IgnoreFile::parse(std::string_view text, const std::string& file_name) {
  IgnoreFile file;
  std::vector<Finding> findings;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  int number = 0;
  for (std::size_t at = 0; at < text.size();) {
    auto end = std::min(text.find('\n', at), text.size());
    auto line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    auto rule = trim(line);
    if (line.starts_with('#') || rule.empty()) continue;
    try {
      auto made = make_rule(rule);
      if (!made.pattern.text().empty()) file.rules_.push_back(std::move(made));
    } catch (const Error& error) {
      int column = static_cast<int>(rule.data() - line.data()) + 1;
      findings.push_back({{file_name, number, column}, error.message()});
    }
  }
  if (!findings.empty())
    throw Error(ErrorKind::invalid, file_name + " has mistakes", std::move(findings), "correct the patterns named");
  return file;
}

IgnoreFile IgnoreFile::load(const std::filesystem::path& context, const std::string& dockerfile) {
  for (const auto& name : {dockerfile + ".dockerignore", std::string(".dockerignore")})
    if (auto text = read_file_if_exists(context / name)) return parse(*text, name);
  return {};
}

bool IgnoreFile::excludes(std::string_view path) const {
  bool excluded = false;
  for (const auto& rule : rules_) {
    if (rule.exception != excluded) continue;
    if (any_parent_or_self(path, [&](std::string_view part) { return rule.pattern.matches(part); }))
      excluded = !rule.exception;
  }
  return excluded;
}

bool IgnoreFile::may_include_below(std::string_view directory) const {
  std::size_t depth = 1;
  for (char c : directory) depth += c == '/' ? 1 : 0;
  for (const auto& rule : rules_) {
    if (!rule.exception) continue;
    std::size_t known = rule.prefixes.size();
    if (depth > known && rule.any_depth) return true;
    if (depth <= known && rule.prefixes[depth - 1].matches(directory)) return true;
  }
  return false;
}

}  // namespace gantry::ignore
