#include <algorithm>
#include <numeric>
#include <set>

#include "image_store_impl.h"

namespace gantry::image {

std::string familiar(const std::string& canonical) { return oci::Reference::parse(canonical).familiar(); }

namespace {

// Edits (insert, delete, replace) that make one of the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0u);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string repository(const std::string& familiar) {
  auto colon = familiar.rfind(':');
  return familiar.substr(0, familiar.find('/', colon) == std::string::npos ? colon : std::string::npos);
}

std::string nearest(const std::string& wanted, const std::vector<std::string>& names) {
  constexpr std::size_t kMostEdits = 3;
  std::string best;
  std::size_t best_distance = kMostEdits;
  for (const auto& name : names) {
    auto edits = distance(wanted, name);
    if (edits < best_distance) {
      best = name;
      best_distance = edits;
    }
  }
  if (!best.empty()) return best;
  auto same =
      std::find_if(names.begin(), names.end(), [&](const auto& n) { return repository(n) == repository(wanted); });
  return same == names.end() ? "" : *same;
}

bool is_suite(const std::string& tag) {
  static const std::set<std::string> kSuites{"bullseye",  "bookworm", "trixie",  "forky",   "sid",
                                             "oldstable", "stable",   "testing", "unstable"};
  return kSuites.contains(tag);
}

bool is_debian(const oci::Reference& reference) {
  return reference.domain == "docker.io" && reference.path == "library/debian";
}

std::string bootstrap_command(const std::string& suite) { return "'gantry image bootstrap debian:" + suite + "'"; }

std::string advice_on_name(const oci::Reference& reference, const std::vector<std::string>& names) {
  auto wanted = reference.familiar();
  if (is_debian(reference) && is_suite(reference.tag))
    return "make it from Debian's archive with " + bootstrap_command(reference.tag);
  auto similar = nearest(wanted, names);
  std::string question = similar.empty() ? "" : "did you mean " + similar + "? otherwise ";
  if (is_debian(reference))
    return question + "name a suite: debian:bookworm, made from Debian's archive with " + bootstrap_command("bookworm");
  return question + "build it with 'gantry build -t " + wanted +
         " .', or import a root file system with 'gantry image import'; 'gantry image ls' lists what is there";
}

}  // namespace

std::string advice(const std::string& reference, const std::vector<std::string>& familiar_names) {
  try {
    return advice_on_name(oci::Reference::parse(reference), familiar_names);
  } catch (const Error&) {
    // An id, which no name resembles and nothing makes.
    return "'gantry image ls' lists what is there";
  }
}

}  // namespace gantry::image
