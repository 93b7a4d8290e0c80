#include "dockerfile/suggest.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <vector>

namespace gantry::build {

namespace {

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

// Optimal string alignment: like Levenshtein, but two neighbours swapped are one mistake (FORM for FROM).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0u);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t cost = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + cost});
      bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view wrong, std::span<const std::string_view> candidates) {
  std::string_view best;
  std::size_t limit = std::min<std::size_t>(2, (wrong.size() + 1) / 3 + 1);
  std::size_t best_distance = limit + 1;
  if (wrong.size() > 64) return best;
  for (auto candidate : candidates) {
    auto found = distance(wrong, candidate);
    if (found < best_distance && found < candidate.size()) {
      best = candidate;
      best_distance = found;
    }
  }
  return best;
}

std::string suggestion(std::string_view wrong, std::span<const std::string_view> candidates) {
  auto best = nearest(wrong, candidates);
  return best.empty() ? "" : ", did you mean \"" + std::string(best) + "\"?";
}

}  // namespace gantry::build
