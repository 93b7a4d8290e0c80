#include "text.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "gantry/base/text.h"

namespace gantry::compose {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_escapable_in_quotes(char c) { return c == '"' || c == '\\' || c == '$' || c == '`'; }

/// Inserted, lost, changed and swapped neighbouring letters count one each.
std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> before(right.size() + 1);
  std::vector<std::size_t> last(right.size() + 1);
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), 0u);
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::swap(before, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1)});
      bool swapped = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

/// The length of the UTF-8 character that `text` starts with; 0 when it is none, is overlong, or is a surrogate.
std::size_t character_length(std::string_view text) {
  auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto first = byte(0);
  if (first < 0x80) return 1;
  std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  bool outside = (first == 0xed && byte(1) >= 0xa0) || (first == 0xf4 && byte(1) >= 0x90);
  return overlong || outside ? 0 : length;
}

/// Words, quotes and escapes of one command line, character by character.
class Splitter {
 public:
  std::optional<std::vector<std::string>> run(std::string_view line) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (!take(line, i)) return std::nullopt;
    }
    if (quote_ != 0) return std::nullopt;
    finish();
    return std::move(words_);
  }

 private:
  bool take(std::string_view line, std::size_t& i) {
    char c = line[i];
    if (c == quote_) {
      quote_ = 0;
    } else if (quote_ == '\'') {
      word_ += c;
    } else if (c == '\\') {
      return escape(line, i);
    } else if (quote_ == 0 && (c == '\'' || c == '"')) {
      quote_ = c;
      open_ = true;
    } else if (quote_ == 0 && is_space(c)) {
      finish();
    } else {
      word_ += c;
      open_ = true;
    }
    return true;
  }

  bool escape(std::string_view line, std::size_t& i) {
    if (i + 1 >= line.size()) return false;
    char next = line[++i];
    open_ = true;
    if (next == '\n') return true;
    if (quote_ == '"' && !is_escapable_in_quotes(next)) word_ += '\\';
    word_ += next;
    return true;
  }

  void finish() {
    if (open_) words_.push_back(std::exchange(word_, {}));
    open_ = false;
  }

  std::vector<std::string> words_;
  std::string word_;
  char quote_ = 0;
  bool open_ = false;
};

}  // namespace

std::optional<std::vector<std::string>> shell_split(std::string_view line) { return Splitter().run(line); }

std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.size() > 64) return std::nullopt;
  auto limit = std::max<std::size_t>(1, name.size() / 3);
  std::optional<std::string> best;
  for (const auto& candidate : candidates) {
    auto distance = edit_distance(lower(name), lower(candidate));
    if (distance <= limit) {
      best = candidate;
      if (distance == 0) break;
      limit = distance - 1;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  auto found = nearest(name, candidates);
  return found ? "; did you mean '" + *found + "'?" : std::string();
}

std::optional<std::size_t> find_bad_character(std::string_view text, Controls controls) {
  for (std::size_t i = 0; i < text.size();) {
    auto length = character_length(text.substr(i, 4));
    bool is_control = text[i] >= 0 && text[i] < 0x20 && !is_space(text[i]);
    if (length == 0 || text[i] == '\0' || (is_control && controls == Controls::refuse)) return i;
    i += length;
  }
  return std::nullopt;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

}  // namespace gantry::compose
