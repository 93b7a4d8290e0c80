#include "dockerfile/source.h"

namespace gantry::build {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f'; }

// The end of the word that starts at `at`: quotes and escaped characters belong to it.
std::size_t word_end(std::string_view text, std::size_t at, char escape) {
  char quote = 0;
  for (; at < text.size(); ++at) {
    char c = text[at];
    if (quote == '\'') {
      if (c == '\'') quote = 0;
    } else if (c == escape) {
      ++at;
    } else if (quote == '"') {
      if (c == '"') quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (is_blank(c)) {
      return at;
    }
  }
  return text.size();
}

template <class End>
std::vector<RawWord> split(std::string_view text, std::size_t offset, End&& end_of) {
  std::vector<RawWord> words;
  for (std::size_t at = 0; at < text.size();) {
    if (is_blank(text[at])) {
      ++at;
      continue;
    }
    auto end = end_of(at);
    words.push_back({std::string(text.substr(at, end - at)), offset + at});
    at = end;
  }
  return words;
}

}  // namespace

std::vector<RawWord> split_words(std::string_view text, std::size_t offset, char escape) {
  return split(text, offset, [&](std::size_t at) { return word_end(text, at, escape); });
}

std::vector<RawWord> split_blanks(std::string_view text, std::size_t offset) {
  return split(text, offset, [&](std::size_t at) {
    while (at < text.size() && !is_blank(text[at])) ++at;
    return at;
  });
}

}  // namespace gantry::build
