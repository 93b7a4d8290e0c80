#include "findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace gantry::compose {

namespace {

constexpr std::size_t kMaximum = 200;

void sort_by_place(std::vector<Finding>& findings) {
  std::map<std::string, std::size_t> file_order;
  for (const auto& finding : findings) file_order.emplace(finding.place.file, file_order.size());
  auto key = [&](const Finding& finding) {
    return std::tuple(file_order[finding.place.file], finding.place.line, finding.place.column);
  };
  std::stable_sort(findings.begin(), findings.end(),
                   [&](const Finding& left, const Finding& right) { return key(left) < key(right); });
}

}  // namespace

bool Findings::is_new(const Place& place, const std::string& message) {
  // The path in front of the message differs for every use of an anchor; the place and the words do not.
  auto words = message.substr(std::min(message.find(": "), message.size()));
  auto at = fmt::format("{}:{}:{}", place.source != nullptr ? place.source->file : "", place.line, place.column);
  return seen_.emplace(place.line > 0 ? at : at + message, words).second;
}

void Findings::invalid(const Place& place, std::string message) {
  only_unsupported_ = false;
  add(place, std::move(message));
}

void Findings::unsupported(const Place& place, std::string message) { add(place, std::move(message)); }

void Findings::add(const Place& place, std::string message) {
  if (is_full()) {
    ++dropped_;
  } else if (is_new(place, message)) {
    errors_.push_back({place.resolved(), std::move(message)});
  }
}

void Findings::warn(const Place& place, std::string message) {
  if (warnings_.size() < kMaximum && is_new(place, message))
    warnings_.push_back({place.resolved(), std::move(message)});
}

bool Findings::is_full() const { return errors_.size() >= kMaximum; }

bool Findings::has_error_at(std::string_view path) const {
  return std::ranges::any_of(errors_, [&](const Finding& finding) {
    std::string_view message = finding.message;
    return message.starts_with(path) && message.substr(path.size()).starts_with(": ");
  });
}

void Findings::throw_if_any() const {
  if (errors_.empty()) return;
  auto sorted = errors_;
  sort_by_place(sorted);
  if (dropped_ > 0) sorted.push_back({{}, fmt::format("and {} more", dropped_)});
  auto summary = count() == 1 ? std::string("the compose file has a mistake")
                              : fmt::format("the compose file has {} mistakes", count());
  if (only_unsupported_) summary = "the compose file uses what Gantry does not support yet";
  throw Error(only_unsupported_ ? ErrorKind::unsupported : ErrorKind::invalid, std::move(summary), std::move(sorted));
}

}  // namespace gantry::compose
