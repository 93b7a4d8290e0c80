#include "dockerfile/source.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "gantry/base/text.h"

namespace gantry::build {

void LogicalLine::append(std::string_view piece, int line, int column) {
  marks_.push_back({text_.size(), line, column});
  text_ += piece;
}

SourcePlace LogicalLine::place(std::size_t offset) const {
  auto after = std::upper_bound(marks_.begin(), marks_.end(), offset,
                                [](std::size_t value, const Mark& mark) { return value < mark.offset; });
  if (after == marks_.begin()) return {file_, 0, 0};
  const Mark& mark = *std::prev(after);
  return {file_, mark.line, mark.column + static_cast<int>(offset - mark.offset)};
}

namespace {

constexpr std::string_view kBlank = " \t\v\f\r";

std::string_view trim(std::string_view text) {
  auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool is_comment(std::string_view line) { return trim(line).starts_with('#'); }

std::vector<std::string_view> physical_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at < text.size();) {
    auto end = std::min(text.find('\n', at), text.size());
    auto line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    at = end + 1;
  }
  return lines;
}

struct Directive {
  std::string name;
  std::string_view value;
};

std::optional<Directive> directive_in(std::string_view line) {
  line = trim(line);
  if (!line.starts_with('#')) return std::nullopt;
  auto equals = line.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  auto name = trim(line.substr(1, equals - 1));
  bool word = !name.empty() && std::isalpha(static_cast<unsigned char>(name[0])) != 0 &&
              std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
  auto value = trim(line.substr(equals + 1));
  if (!word || value.empty()) return std::nullopt;
  return Directive{lower(name), value};
}

class Reader {
 public:
  Reader(std::string_view text, std::string file, std::vector<Finding>& findings)
      : lines_(physical_lines(text)), file_(std::move(file)), findings_(findings) {}

  Source run() {
    read_directives();
    while (at_ < lines_.size()) {
      auto line = lines_[at_];
      if (trim(line).empty() || is_comment(line)) {
        ++at_;
      } else {
        read_instruction();
      }
    }
    return std::move(source_);
  }

 private:
  // Directives end at the first line that is none, an empty one included.
  void read_directives() {
    for (; at_ < lines_.size(); ++at_) {
      auto directive = directive_in(lines_[at_]);
      if (!directive) return;
      const auto& name = directive->name;
      if (name != "escape" && name != "syntax" && name != "check") return;
      int column = static_cast<int>(directive->value.data() - lines_[at_].data()) + 1;
      if (!source_.directives.emplace(name, directive->value).second)
        report(column, "directive \"" + name + "\" is given twice");
      if (name == "escape") set_escape(directive->value, column);
    }
  }

  void set_escape(std::string_view value, int column) {
    if (value == "\\" || value == "`") {
      source_.escape = value[0];
    } else {
      report(column, "directive \"escape\" must be \\ or `, not \"" + std::string(value) + "\"");
    }
  }

  void read_instruction() {
    LogicalLine line(file_);
    auto piece = lines_[at_];
    auto indent = piece.find_first_not_of(kBlank);
    piece.remove_prefix(indent);
    int column = static_cast<int>(indent) + 1;
    while (auto end = continuation(piece)) {
      line.append(piece.substr(0, *end), number(), column);
      column = 1;
      ++at_;
      skip_between();
      if (at_ == lines_.size()) break;
      piece = lines_[at_];
    }
    if (at_ < lines_.size()) line.append(piece, number(), column), ++at_;
    read_heredocs(line);
    source_.lines.push_back(std::move(line));
  }

  // Comments and empty lines inside an instruction do not end it.
  void skip_between() {
    while (at_ < lines_.size() && (is_comment(lines_[at_]) || trim(lines_[at_]).empty())) ++at_;
  }

  // Where the escape character stands when it ends the line; an escaped one does not continue it.
  std::optional<std::size_t> continuation(std::string_view piece) const {
    auto last = piece.find_last_not_of(" \t");
    if (last == std::string_view::npos || piece[last] != source_.escape) return std::nullopt;
    if (last > 0 && piece[last - 1] == source_.escape) return std::nullopt;
    return last;
  }

  // RUN, COPY and ADD take them, also behind ONBUILD.
  static bool takes_heredocs(std::string_view text) {
    auto word = lower(text.substr(0, std::min(text.find_first_of(kBlank), text.size())));
    if (word == "onbuild") {
      auto rest = trim(text.substr(word.size()));
      word = lower(rest.substr(0, std::min(rest.find_first_of(kBlank), rest.size())));
    }
    return word == "run" || word == "copy" || word == "add";
  }

  void read_heredocs(LogicalLine& line) {
    if (!takes_heredocs(line.text())) return;
    for (const auto& word : split_words(line.text(), 0, source_.escape)) {
      auto heredoc = heredoc_in(word.text);
      if (!heredoc) continue;
      if (!read_heredoc_body(*heredoc))
        findings_.push_back({line.place(word.offset), "here-document \"" + heredoc->name +
                                                          "\" is not ended by a line \"" + heredoc->name + "\""});
      line.heredocs.push_back(std::move(*heredoc));
    }
  }

  // [digits]<<[-]name, the name possibly in quotes.
  static std::optional<Heredoc> heredoc_in(const std::string& word) {
    auto at = word.find_first_not_of("0123456789");
    if (at == std::string::npos || word.compare(at, 2, "<<") != 0) return std::nullopt;
    auto rest = std::string_view(word).substr(at + 2);
    if (rest.starts_with('-')) rest.remove_prefix(1);
    Heredoc heredoc;
    heredoc.word = word;
    for (char c : rest) {
      if (std::string_view("<>;|&)").find(c) != std::string_view::npos) break;
      if (c == '"' || c == '\'') {
        heredoc.expand = false;
      } else {
        heredoc.name += c;
      }
    }
    if (heredoc.name.empty()) return std::nullopt;
    return heredoc;
  }

  bool read_heredoc_body(Heredoc& heredoc) {
    bool strip = heredoc.word.find("<<-") != std::string::npos;
    while (at_ < lines_.size()) {
      auto line = lines_[at_++];
      auto stripped = line;
      if (strip) stripped.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
      heredoc.verbatim.append(line).append("\n");
      if (stripped == heredoc.name) return true;
      heredoc.content.append(stripped).append("\n");
    }
    return false;
  }

  int number() const { return static_cast<int>(at_) + 1; }
  void report(int column, std::string message) { findings_.push_back({{file_, number(), column}, std::move(message)}); }

  std::vector<std::string_view> lines_;
  std::string file_;
  std::vector<Finding>& findings_;
  Source source_;
  std::size_t at_ = 0;
};

}  // namespace

Source read_source(std::string_view text, const std::string& file, std::vector<Finding>& findings) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return Reader(text, file, findings).run();
}

}  // namespace gantry::build
