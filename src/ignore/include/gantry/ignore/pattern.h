#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gantry::ignore {

/// A path pattern by the rules of Go's filepath.Match ('*' and '?' stop at '/', classes [a-z] and [^a-z], '\' escapes)
/// plus Docker's '**', which crosses directories: "**/x" matches x at any depth, "x/**" everything below x.
/// Matching takes time linear in pattern times path, whatever the pattern.
class Pattern {
 public:
  /// Error invalid when a class is not closed or empty, or the pattern ends in a lone '\'.
  explicit Pattern(std::string_view text);
  bool matches(std::string_view path) const;
  const std::string& text() const { return text_; }

  /// True when the text means something else than itself as a pattern.
  static bool has_wildcards(std::string_view text);

 private:
  enum class Kind { literal, one, star, any, dirs_or_none, dirs, set };
  struct Token {
    Kind kind;
    char32_t character = 0;
    bool negated = false;
    std::vector<std::pair<char32_t, char32_t>> ranges;
  };
  std::size_t read_set(std::u32string_view text, std::size_t at);
  void add_states(std::vector<bool>& states, std::size_t index) const;
  void step(const Token& token, std::size_t index, char32_t c, std::vector<bool>& next) const;

  std::string text_;
  bool plain_;  ///< means itself
  std::vector<Token> tokens_;
};

}  // namespace gantry::ignore
