#include "filter_ranges.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <vector>

// A filter decides by architecture and number of the call first and looks at arguments last. For one architecture its
// first part is a function of the number alone, which can change only at the constants it compares with: asked at each
// of them, it is known for all numbers. Its values are places of the program from where neither architecture nor number
// are looked at any more: a return, or the load of an argument, and what follows that is copied.
namespace gantry::runtime {
namespace {

using Instruction = sock_filter;
using Program = std::vector<Instruction>;
using Place = std::size_t;

constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kReturn = BPF_RET | BPF_K;
constexpr std::uint16_t kJump = BPF_JMP | BPF_JA;
constexpr std::uint16_t kIfEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t kIfAbove = BPF_JMP | BPF_JGT | BPF_K;
constexpr std::uint16_t kIfAtLeast = BPF_JMP | BPF_JGE | BPF_K;
constexpr std::uint32_t kNumber = offsetof(seccomp_data, nr);
constexpr std::uint32_t kArchitecture = offsetof(seccomp_data, arch);

/// What with_ranges does not know.
struct Unfamiliar {};

bool is_decision(const Instruction& at) {
  return at.code == kReturn || (at.code == kLoad && at.k != kNumber && at.k != kArchitecture);
}

bool is_jump(const Instruction& at) { return BPF_CLASS(at.code) == BPF_JMP; }

std::vector<Place> followers(const Program& program, Place at) {
  const auto& it = program[at];
  if (BPF_CLASS(it.code) == BPF_RET) return {};
  if (it.code == kJump) return {at + 1 + it.k};
  if (is_jump(it)) return {at + 1 + it.jt, at + 1 + it.jf};
  return {at + 1};
}

const Instruction& instruction(const Program& program, Place at) {
  if (at >= program.size()) throw Unfamiliar{};
  return program[at];
}

bool holds(const Instruction& comparison, std::uint32_t value) {
  if (comparison.code == kIfEqual) return value == comparison.k;
  if (comparison.code == kIfAbove) return value > comparison.k;
  if (comparison.code == kIfAtLeast) return value >= comparison.k;
  throw Unfamiliar{};
}

/// Follows the program for one call as far as architecture and number decide. Constants that the number is compared
/// with on the way are added to `constants`.
Place decide(const Program& program, std::uint32_t architecture, std::uint32_t number,
             std::set<std::uint32_t>* constants) {
  std::optional<std::uint32_t> loaded;
  bool is_number = false;
  for (Place at = 0;;) {
    const auto& it = instruction(program, at);
    if (is_decision(it)) return at;
    if (it.code == kLoad) {
      is_number = it.k == kNumber;
      loaded = is_number ? number : architecture;
      ++at;
    } else if (it.code == kJump) {
      at += 1 + it.k;
    } else {
      if (!loaded) throw Unfamiliar{};
      if (is_number) constants->insert(it.k);
      at += 1u + (holds(it, *loaded) ? it.jt : it.jf);
    }
  }
}

/// All that the architecture is compared with. Only equality: then those it knows and any other are all cases.
std::set<std::uint32_t> known_architectures(const Program& program) {
  std::set<std::uint32_t> out;
  std::set<std::pair<Place, bool>> seen;
  std::vector<std::pair<Place, bool>> open = {{0, false}};
  while (!open.empty()) {
    auto [at, is_architecture] = open.back();
    open.pop_back();
    const auto& it = instruction(program, at);
    if (!seen.insert({at, is_architecture}).second || is_decision(it)) continue;
    if (it.code == kLoad) is_architecture = it.k == kArchitecture;
    if (is_jump(it) && it.code != kJump && is_architecture) {
      if (it.code != kIfEqual) throw Unfamiliar{};
      out.insert(it.k);
    }
    for (auto next : followers(program, at)) open.push_back({next, is_architecture});
  }
  return out;
}

/// From `first` on, up to the next range.
struct Range {
  std::uint32_t first;
  Place place;
};

bool alike(const Program& program, Place a, Place b) {
  return a == b || (program[a].code == kReturn && program[b].code == kReturn && program[a].k == program[b].k);
}

std::vector<Range> ranges_of(const Program& program, std::uint32_t architecture) {
  // Each number asked for may show further constants to ask at.
  std::map<std::uint32_t, Place> asked;
  std::set<std::uint32_t> open = {0};
  while (!open.empty()) {
    auto number = open.extract(open.begin()).value();
    std::set<std::uint32_t> constants;
    asked[number] = decide(program, architecture, number, &constants);
    for (auto constant : constants) {
      if (!asked.contains(constant)) open.insert(constant);
      if (constant != std::numeric_limits<std::uint32_t>::max() && !asked.contains(constant + 1))
        open.insert(constant + 1);
    }
  }
  std::vector<Range> out;
  for (const auto& [number, place] : asked)
    if (out.empty() || !alike(program, out.back().place, place)) out.push_back({number, place});
  return out;
}

/// Writes the program from its end to its beginning, since jumps lead forward only: each target is there before what
/// leads to it. An index counts from the end, too.
class Writer {
 public:
  explicit Writer(const Program& program) : from_(program) {}

  Program write() {
    std::map<std::uint32_t, std::vector<Range>> known;
    for (auto architecture : known_architectures(from_)) known[architecture] = ranges_of(from_, architecture);
    auto other = decision_on_others(known);
    copy_arguments(known, other);
    std::map<std::uint32_t, std::size_t> blocks;
    for (const auto& [architecture, ranges] : known) {
      lead_to(tree(ranges.data(), ranges.size()));
      blocks[architecture] = add(kLoad, kNumber);
    }
    auto next = decision(other);
    for (const auto& [architecture, block] : blocks) next = add_test(kIfEqual, architecture, block, next);
    lead_to(next);
    add(kLoad, kArchitecture);
    return {reversed_.rbegin(), reversed_.rend()};
  }

 private:
  // Two instructions may still come between a target that is found near and the comparison that leads to it.
  static constexpr std::size_t kNear = std::numeric_limits<std::uint8_t>::max() - 2;

  std::size_t add(std::uint16_t code, std::uint32_t k, std::size_t when_true = 0, std::size_t when_false = 0) {
    if (std::max(when_true, when_false) > std::numeric_limits<std::uint8_t>::max()) throw Unfamiliar{};
    reversed_.push_back({code, static_cast<std::uint8_t>(when_true), static_cast<std::uint8_t>(when_false), k});
    return reversed_.size() - 1;
  }

  /// How far a jump that comes next has to go.
  std::size_t distance(std::size_t target) const { return reversed_.size() - 1 - target; }
  bool is_near(std::size_t target) const { return distance(target) <= kNear; }
  std::size_t add_jump(std::size_t target) { return add(kJump, static_cast<std::uint32_t>(distance(target))); }
  std::size_t near(std::size_t target) { return is_near(target) ? target : add_jump(target); }

  /// What is added next is followed by `target`.
  void lead_to(std::size_t target) {
    if (distance(target) != 0) add_jump(target);
  }

  std::size_t add_test(std::uint16_t code, std::uint32_t k, std::size_t when_true, std::size_t when_false) {
    when_true = near(when_true);
    when_false = near(when_false);
    return add(code, k, distance(when_true), distance(when_false));
  }

  std::size_t decision(Place place) {
    const auto& it = from_[place];
    if (it.code != kReturn) return near(moved_.at(place));
    auto known = returns_.find(it.k);
    if (known != returns_.end() && is_near(known->second)) return known->second;
    return returns_[it.k] = add(kReturn, it.k);
  }

  std::size_t tree(const Range* ranges, std::size_t count) {
    if (count == 1) return decision(ranges->place);
    auto half = count / 2;
    auto upper = tree(ranges + half, count - half);
    auto lower = tree(ranges, half);
    return add_test(kIfAtLeast, ranges[half].first, upper, lower);
  }

  // Whatever architecture is not known: any value that is none of them.
  Place decision_on_others(const std::map<std::uint32_t, std::vector<Range>>& known) const {
    std::uint32_t other = 0;
    while (known.contains(other)) ++other;
    auto ranges = ranges_of(from_, other);
    if (ranges.size() != 1) throw Unfamiliar{};
    return ranges.front().place;
  }

  // In the same order without what lies between, which keeps every distance in reach.
  void copy_arguments(const std::map<std::uint32_t, std::vector<Range>>& known, Place other) {
    std::vector<Place> open = {other};
    for (const auto& [architecture, ranges] : known)
      for (const auto& range : ranges) open.push_back(range.place);
    std::set<Place> wanted;
    while (!open.empty()) {
      auto at = open.back();
      open.pop_back();
      instruction(from_, at);
      if (!wanted.insert(at).second) continue;
      for (auto next : followers(from_, at)) open.push_back(next);
    }
    for (auto at = wanted.rbegin(); at != wanted.rend(); ++at) moved_[*at] = copy(*at);
  }

  std::size_t copy(Place at) {
    const auto& it = from_[at];
    if (it.code == kReturn) return returns_[it.k] = add(it.code, it.k);
    if (it.code == kJump) return add_jump(moved_.at(at + 1 + it.k));
    if (is_jump(it))
      return add(it.code, it.k, distance(moved_.at(at + 1 + it.jt)), distance(moved_.at(at + 1 + it.jf)));
    lead_to(moved_.at(at + 1));
    return add(it.code, it.k);
  }

  const Program& from_;
  Program reversed_;
  std::map<Place, std::size_t> moved_;
  std::map<std::uint32_t, std::size_t> returns_;  ///< of each action, where it was last written
};

}  // namespace

std::string with_ranges(const std::string& text) {
  Program program(text.size() / sizeof(Instruction));
  std::memcpy(program.data(), text.data(), program.size() * sizeof(Instruction));
  try {
    auto made = Writer(program).write();
    if (made.size() >= program.size()) return text;
    return {reinterpret_cast<const char*>(made.data()), made.size() * sizeof(Instruction)};
  } catch (const Unfamiliar&) {
    return text;
  }
}

}  // namespace gantry::runtime
