#include "gantry/disk/budget.h"

#include <charconv>
#include <limits>

#include "gantry/base/error.h"

namespace gantry::disk {
namespace {

constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

[[noreturn]] void refuse(std::string_view text) {
  throw Error(ErrorKind::invalid, "budget '" + std::string(text) + "': expected a size, a share or none",
              "for example 20G, 512M, 40% or none");
}

// "k", "KB", "KiB": all the same.
std::optional<unsigned> shift_of(std::string_view unit) {
  if (unit.empty()) return 0;
  constexpr std::string_view kUnits = "bkmgt";
  auto at = kUnits.find(static_cast<char>(unit[0] | 0x20));
  if (at == std::string_view::npos) return std::nullopt;
  auto rest = unit.substr(1);
  bool known = rest.empty() || (at > 0 && (rest == "b" || rest == "B" || rest == "iB" || rest == "ib"));
  return known ? std::optional(static_cast<unsigned>(at) * 10) : std::nullopt;
}

}  // namespace

Limit Limit::bytes(std::uint64_t bytes) {
  Limit out;
  out.bytes_ = bytes;
  return out;
}

Limit Limit::percent(unsigned percent) {
  Limit out;
  out.percent_ = percent;
  return out;
}

Limit Limit::parse(std::string_view text) {
  if (text == "none") return none();
  std::uint64_t number = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end == text.data()) refuse(text);
  auto unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit == "%") {
    if (number < 1 || number > 100) refuse(text);
    return percent(static_cast<unsigned>(number));
  }
  auto shift = shift_of(unit);
  if (!shift || number == 0 || number > (kMost >> *shift)) refuse(text);
  return bytes(number << *shift);
}

std::optional<std::uint64_t> Limit::of(std::uint64_t file_system) const {
  if (percent_) return file_system / 100 * *percent_;
  return bytes_;
}

std::string Limit::str() const {
  if (percent_) return std::to_string(*percent_) + "%";
  return bytes_ ? std::to_string(*bytes_) : "none";
}

}  // namespace gantry::disk
