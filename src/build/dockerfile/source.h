#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/base/error.h"

/// From the bytes of a Dockerfile to its logical lines: directives, comments, continuation lines and here-documents
/// (https://docs.docker.com/reference/dockerfile/#format). Pure.
namespace gantry::build {

struct Heredoc {
  std::string name;
  std::string content;   ///< without the tabs that <<- removes
  std::string verbatim;  ///< the lines as written, for a shell that reads the here-document itself
  bool expand = true;    ///< false when the name was quoted
  std::string word;      ///< as written: <<-"EOF"
};

/// One instruction with its continuation lines joined. Knows where each of its bytes came from.
class LogicalLine {
 public:
  explicit LogicalLine(std::string file) : file_(std::move(file)) {}
  void append(std::string_view piece, int line, int column);
  const std::string& text() const { return text_; }
  SourcePlace place(std::size_t offset) const;

  std::vector<Heredoc> heredocs;

 private:
  struct Mark {
    std::size_t offset;
    int line;
    int column;
  };
  std::string file_;
  std::string text_;
  std::vector<Mark> marks_;
};

struct Source {
  char escape = '\\';
  std::map<std::string, std::string> directives;  ///< lower-case name -> value
  std::vector<LogicalLine> lines;
};

/// Mistakes go to `findings`; the rest of the file is read all the same.
Source read_source(std::string_view text, const std::string& file, std::vector<Finding>& findings);

/// Splits at blanks outside of quotes; quotes and escapes stay. A piece of the text and where it starts.
struct RawWord {
  std::string text;
  std::size_t offset = 0;
};
std::vector<RawWord> split_words(std::string_view text, std::size_t offset, char escape);
/// Splits at blanks, whatever the quotes.
std::vector<RawWord> split_blanks(std::string_view text, std::size_t offset);

}  // namespace gantry::build
