#include "dockerfile/file_mode.h"

#include <charconv>

#include "gantry/base/error.h"

namespace gantry::build {
namespace {

constexpr unsigned kUser = 04700, kGroup = 02070, kOther = 00007, kAll = 07777;

[[noreturn]] void refuse_mode(std::string_view text) {
  throw Error(ErrorKind::invalid, "\"" + std::string(text) + "\" is no mode",
              "write an octal mode like 0755, or changes like u=rwX,go=rX");
}

unsigned who_of(std::string_view& clause) {
  unsigned who = 0;
  for (; !clause.empty(); clause.remove_prefix(1)) {
    if (clause[0] == 'u')
      who |= kUser;
    else if (clause[0] == 'g')
      who |= kGroup;
    else if (clause[0] == 'o')
      who |= kOther;
    else if (clause[0] == 'a')
      who |= kAll;
    else
      break;
  }
  return who == 0 ? kAll : who | (who & kOther ? 01000u : 0u);
}

unsigned bits_of(char letter) {
  switch (letter) {
    case 'r':
      return 0444;
    case 'w':
      return 0222;
    case 'x':
      return 0111;
    case 's':
      return 06000;
    case 't':
      return 01000;
    default:
      return 0;
  }
}

unsigned spread(char from, unsigned mode) {
  unsigned shift = from == 'u' ? 6 : from == 'g' ? 3 : 0;
  unsigned bits = (mode >> shift) & 07;
  return bits << 6 | bits << 3 | bits;
}

}  // namespace

std::vector<FileMode::Change> FileMode::changes_of(std::string_view clause, std::string_view whole) {
  std::vector<Change> out;
  unsigned who = who_of(clause);
  while (!clause.empty()) {
    Change change;
    change.who = who;
    change.operation = clause[0];
    if (change.operation != '+' && change.operation != '-' && change.operation != '=') refuse_mode(whole);
    clause.remove_prefix(1);
    if (!clause.empty() && std::string_view("ugo").find(clause[0]) != std::string_view::npos) {
      change.copy = clause[0];
      clause.remove_prefix(1);
    }
    for (; change.copy == 0 && !clause.empty(); clause.remove_prefix(1)) {
      if (clause[0] == 'X')
        change.execute = true;
      else if (auto bits = bits_of(clause[0]); bits != 0)
        change.bits |= bits;
      else
        break;
    }
    out.push_back(change);
  }
  if (out.empty()) refuse_mode(whole);
  return out;
}

FileMode FileMode::parse(std::string_view text) {
  FileMode out;
  out.text_ = text;
  if (text.empty()) refuse_mode(text);
  if (text.find_first_not_of("01234567") == std::string_view::npos) {
    auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out.mode_, 8);
    if (failed != std::errc() || out.mode_ > kAll) refuse_mode(text);
    out.octal_ = true;
    return out;
  }
  for (std::size_t at = 0; at <= text.size();) {
    auto end = std::min(text.find(',', at), text.size());
    auto changes = changes_of(text.substr(at, end - at), text);
    out.changes_.insert(out.changes_.end(), changes.begin(), changes.end());
    at = end + 1;
  }
  return out;
}

unsigned FileMode::apply(unsigned mode, bool directory) const {
  if (octal_) return mode_;
  mode &= kAll;
  for (const auto& change : changes_) {
    auto bits = change.copy != 0 ? spread(change.copy, mode) : change.bits;
    if (change.execute && (directory || (mode & 0111) != 0)) bits |= 0111;
    bits &= change.who;
    // Special bits of a directory stay unless they are named, as chmod(1) has it.
    if (change.operation == '=') mode &= ~(change.who & (directory ? 0777u : kAll));
    mode = change.operation == '-' ? mode & ~bits : mode | bits;
  }
  return mode;
}

}  // namespace gantry::build
