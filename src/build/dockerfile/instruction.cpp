#include "dockerfile/instruction.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>

#include "dockerfile/checks.h"
#include "dockerfile/suggest.h"

namespace gantry::build {

namespace {

enum class Shape {
  words,          ///< split at blanks
  words_or_json,  ///< the same, or a JSON array
  command,        ///< a shell command line, or a JSON array
  json_only,
  text,   ///< one value to the end of the line
  pairs,  ///< NAME=value ..., or NAME value
  arguments,
  trigger,
};

struct Grammar {
  Keyword keyword;
  std::string_view name;
  Shape shape;
  std::size_t least;  ///< words
  std::size_t most;
  std::vector<std::string_view> flags;
  std::string_view usage;
};

constexpr std::size_t kMany = 1u << 20;

const std::vector<Grammar>& grammars() {
  static const std::vector<Grammar> table = {
      {Keyword::from, "FROM", Shape::words, 1, 3, {"platform"}, "FROM [--platform=P] IMAGE [AS NAME]"},
      {Keyword::arg, "ARG", Shape::arguments, 1, kMany, {}, "ARG NAME[=DEFAULT] ..."},
      {Keyword::env, "ENV", Shape::pairs, 1, kMany, {}, "ENV NAME=VALUE ..."},
      {Keyword::label, "LABEL", Shape::pairs, 1, kMany, {}, "LABEL NAME=VALUE ..."},
      {Keyword::run, "RUN", Shape::command, 1, kMany, {"mount", "network", "security"}, "RUN COMMAND"},
      {Keyword::copy,
       "COPY",
       Shape::words_or_json,
       2,
       kMany,
       {"from", "chown", "chmod", "link", "parents", "exclude"},
       "COPY SOURCE... DESTINATION"},
      {Keyword::add,
       "ADD",
       Shape::words_or_json,
       2,
       kMany,
       {"chown", "chmod", "link", "keep-git-dir", "checksum", "unpack", "exclude"},
       "ADD SOURCE... DESTINATION"},
      {Keyword::workdir, "WORKDIR", Shape::text, 1, kMany, {}, "WORKDIR PATH"},
      {Keyword::user, "USER", Shape::text, 1, 1, {}, "USER NAME[:GROUP]"},
      {Keyword::expose, "EXPOSE", Shape::words, 1, kMany, {}, "EXPOSE PORT[/PROTOCOL] ..."},
      {Keyword::volume, "VOLUME", Shape::words_or_json, 1, kMany, {}, "VOLUME PATH ..."},
      {Keyword::cmd, "CMD", Shape::command, 0, kMany, {}, "CMD [\"PROGRAM\", \"ARGUMENT\"]"},
      {Keyword::entrypoint, "ENTRYPOINT", Shape::command, 0, kMany, {}, "ENTRYPOINT [\"PROGRAM\", \"ARGUMENT\"]"},
      {Keyword::healthcheck,
       "HEALTHCHECK",
       Shape::command,
       1,
       kMany,
       {"interval", "timeout", "start-period", "start-interval", "retries"},
       "HEALTHCHECK [OPTIONS] CMD COMMAND, or NONE"},
      {Keyword::stopsignal, "STOPSIGNAL", Shape::text, 1, 1, {}, "STOPSIGNAL SIGNAL"},
      {Keyword::shell, "SHELL", Shape::json_only, 1, kMany, {}, "SHELL [\"PROGRAM\", \"ARGUMENT\"]"},
      {Keyword::onbuild, "ONBUILD", Shape::trigger, 1, kMany, {}, "ONBUILD INSTRUCTION"},
      {Keyword::maintainer, "MAINTAINER", Shape::text, 1, kMany, {}, "MAINTAINER NAME"},
  };
  return table;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

const Grammar* find_grammar(std::string_view name) {
  auto wanted = upper(name);
  for (const auto& grammar : grammars())
    if (grammar.name == wanted) return &grammar;
  return nullptr;
}

std::string suggest_instruction(std::string_view wrong) {
  std::vector<std::string_view> names;
  for (const auto& grammar : grammars()) names.push_back(grammar.name);
  return suggestion(upper(wrong), names);
}

class Parser {
 public:
  Parser(const LogicalLine& line, char escape, std::vector<Finding>& findings)
      : line_(line), text_(line.text()), escape_(escape), findings_(findings) {}

  std::optional<Instruction> run() {
    auto before = findings_.size();
    auto name = std::string_view(text_).substr(0, std::min(text_.find_first_of(" \t\r\n\v\f"), text_.size()));
    grammar_ = find_grammar(name);
    if (grammar_ == nullptr) {
      report(0, "unknown instruction \"" + std::string(name) + "\"" + suggest_instruction(name));
      return std::nullopt;
    }
    out_.keyword = grammar_->keyword;
    out_.place = line_.place(0);
    out_.text = one_line(text_);
    out_.heredocs = line_.heredocs;
    for (const auto& heredoc : line_.heredocs) out_.heredoc_text += heredoc.verbatim;
    at_ = name.size();
    read_flags();
    read_rest();
    read_arguments();
    if (findings_.size() != before) return std::nullopt;
    check_instruction(out_, escape_, findings_);
    return findings_.size() == before ? std::optional(std::move(out_)) : std::nullopt;
  }

 private:
  static std::string one_line(std::string_view text) {
    auto last = text.find_last_not_of(" \t\r");
    return std::string(text.substr(0, last == std::string_view::npos ? 0 : last + 1));
  }

  void skip_blanks() { at_ = std::min(text_.find_first_not_of(" \t\r\n\v\f", at_), text_.size()); }

  // Only instructions that know flags have them: ENV and CMD may well begin with "--".
  void read_flags() {
    skip_blanks();
    bool takes_flags = !grammar_->flags.empty();
    while (takes_flags && text_.compare(at_, 2, "--") == 0) {
      auto words = split_words(std::string_view(text_).substr(at_), at_, escape_);
      const auto& word = words.front();
      if (word.text == "--") return;
      add_flag(word);
      at_ += word.text.size();
      skip_blanks();
    }
  }

  void add_flag(const RawWord& word) {
    auto equals = word.text.find('=');
    Flag flag;
    flag.name = word.text.substr(2, equals == std::string::npos ? equals : equals - 2);
    flag.place = line_.place(word.offset);
    flag.has_value = equals != std::string::npos;
    if (flag.has_value) flag.value = {word.text.substr(equals + 1), line_.place(word.offset + equals + 1)};
    const auto& known = grammar_->flags;
    if (std::find(known.begin(), known.end(), flag.name) == known.end()) {
      report(word.offset,
             std::string(grammar_->name) + " has no flag \"--" + flag.name + "\"" + suggestion(flag.name, known));
      return;
    }
    bool repeatable = flag.name == "mount" || flag.name == "exclude";
    if (!repeatable && out_.flag(flag.name) != nullptr)
      report(word.offset, "flag \"--" + flag.name + "\" is given twice");
    out_.flags.push_back(std::move(flag));
  }

  void read_rest() {
    auto end = text_.find_last_not_of(" \t\r\n\v\f");
    end = end == std::string::npos ? 0 : end + 1;
    out_.rest = {at_ < end ? text_.substr(at_, end - at_) : "", line_.place(at_)};
  }

  void read_arguments() {
    bool read = false;
    switch (grammar_->shape) {
      case Shape::words_or_json:
      case Shape::command:
        read = read_json();
        break;
      case Shape::json_only:
        if (read_json()) return require_count();
        return report(at_, std::string(grammar_->name) + " takes a JSON array of strings: " + usage());
      case Shape::text:
        if (!out_.rest.text.empty()) out_.words.push_back(out_.rest);
        return require_count();
      case Shape::pairs:
        return read_pairs();
      case Shape::arguments:
        return read_declarations();
      default:
        break;
    }
    if (!read) {
      for (auto& word : split_blanks(out_.rest.text, at_)) out_.words.push_back({word.text, line_.place(word.offset)});
    }
    require_count();
  }

  std::string usage() const { return std::string(grammar_->usage); }

  void require_count() {
    if (out_.words.size() < grammar_->least) {
      report(0, std::string(grammar_->name) + " needs " +
                    (grammar_->least == 1 ? "an argument" : "two arguments or more") + ": " + usage());
    } else if (out_.words.size() > grammar_->most) {
      report_at(out_.words[grammar_->most].place, std::string(grammar_->name) + " takes no more arguments: " + usage());
    }
  }

  // What looks like an array but is none is a shell command, as the reference says.
  bool read_json() {
    if (!out_.rest.text.starts_with('[')) return false;
    boost::json::error_code failed;
    auto value = boost::json::parse(out_.rest.text, failed);
    if (failed || !value.is_array()) return false;
    for (const auto& element : value.get_array())
      if (!element.is_string()) return false;
    for (const auto& element : value.get_array())
      out_.words.push_back({std::string(element.get_string()), out_.rest.place});
    out_.json = true;
    return true;
  }

  void read_pairs() {
    auto words = split_words(out_.rest.text, at_, escape_);
    if (words.empty()) return report(0, std::string(grammar_->name) + " needs an argument: " + usage());
    if (words.front().text.find('=') == std::string::npos) return read_old_pair(words);
    for (const auto& word : words) {
      auto equals = word.text.find('=');
      if (equals == std::string::npos) {
        report(word.offset, "\"" + word.text + "\" has no \"=\": " + usage());
      } else if (equals == 0) {
        report(word.offset, "\"" + word.text + "\" has no name in front of \"=\"");
      } else {
        out_.pairs.push_back(pair_at(word, equals));
      }
    }
  }

  Pair pair_at(const RawWord& word, std::size_t equals) const {
    return {{word.text.substr(0, equals), line_.place(word.offset)},
            Word{word.text.substr(equals + 1), line_.place(word.offset + equals + 1)}};
  }

  // NAME and the rest of the line as its value.
  void read_old_pair(const std::vector<RawWord>& words) {
    const auto& name = words.front();
    if (words.size() < 2) return report(name.offset, "\"" + name.text + "\" has no value: " + usage());
    auto value = words[1].offset;
    out_.pairs.push_back(
        {{name.text, line_.place(name.offset)}, Word{out_.rest.text.substr(value - at_), line_.place(value)}});
  }

  void read_declarations() {
    auto words = split_words(out_.rest.text, at_, escape_);
    if (words.empty()) return report(0, std::string(grammar_->name) + " needs an argument: " + usage());
    for (const auto& word : words) {
      auto equals = word.text.find('=');
      if (equals == 0) {
        report(word.offset, "\"" + word.text + "\" has no name in front of \"=\"");
      } else if (equals == std::string::npos) {
        out_.pairs.push_back({{word.text, line_.place(word.offset)}, std::nullopt});
      } else {
        out_.pairs.push_back(pair_at(word, equals));
      }
    }
  }

  void report(std::size_t offset, std::string message) { report_at(line_.place(offset), std::move(message)); }
  void report_at(SourcePlace place, std::string message) {
    findings_.push_back({std::move(place), std::move(message)});
  }

  const LogicalLine& line_;
  const std::string& text_;
  char escape_;
  std::vector<Finding>& findings_;
  const Grammar* grammar_ = nullptr;
  Instruction out_;
  std::size_t at_ = 0;
};

}  // namespace

const Flag* Instruction::flag(std::string_view name) const {
  for (const auto& flag : flags)
    if (flag.name == name) return &flag;
  return nullptr;
}

std::string_view name_of(Keyword keyword) {
  for (const auto& grammar : grammars())
    if (grammar.keyword == keyword) return grammar.name;
  return {};
}

std::optional<Instruction> parse_instruction(const LogicalLine& line, char escape, std::vector<Finding>& findings) {
  return Parser(line, escape, findings).run();
}

}  // namespace gantry::build
