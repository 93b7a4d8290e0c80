#include "challenge.h"

#include "gantry/base/text.h"

namespace gantry::registry {
namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool done() const { return at_ >= text_.size(); }
  void skip_blanks() {
    while (!done() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  void skip_separators() {
    while (!done() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == ',')) ++at_;
  }
  bool take(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string word() {
    auto end = std::min(text_.find_first_of(" \t,=\"", at_), text_.size());
    std::string out(text_.substr(at_, end - at_));
    at_ = end;
    return out;
  }
  std::string quoted() {
    std::string out;
    while (!done() && text_[at_] != '"') {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_++];
    }
    take('"');
    return out;
  }
  void skip() { ++at_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<Challenge> parse_challenges(std::string_view field) {
  std::vector<Challenge> out;
  Scanner scanner(field);
  for (scanner.skip_separators(); !scanner.done(); scanner.skip_separators()) {
    auto name = lower(scanner.word());
    if (name.empty()) {
      scanner.skip();
      continue;
    }
    scanner.skip_blanks();
    if (!scanner.take('=')) {
      out.push_back({name, {}});  // a word without a value begins a challenge
      continue;
    }
    scanner.skip_blanks();
    auto value = scanner.take('"') ? scanner.quoted() : scanner.word();
    if (!out.empty()) out.back().parameters.emplace(name, value);
  }
  return out;
}

}  // namespace gantry::registry
