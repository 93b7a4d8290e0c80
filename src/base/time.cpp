#include "gantry/base/time.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <ctime>
#include <limits>

namespace gantry {
namespace chrono = std::chrono;

Timestamp now() { return chrono::time_point_cast<chrono::nanoseconds>(chrono::system_clock::now()); }

// A list of containers has thousands of times in it, and fmt takes four times as long for one.
std::string to_rfc3339(Timestamp time) {
  auto days = chrono::floor<chrono::days>(time);
  chrono::year_month_day date(days);
  chrono::hh_mm_ss<Duration> of_day(time - days);
  std::string out = "0000-00-00T00:00:00.000000000Z";
  auto put = [&out](std::size_t end, auto number) {
    for (auto rest = static_cast<std::uint64_t>(number); rest != 0; rest /= 10)
      out[--end] = static_cast<char>('0' + rest % 10);
  };
  put(4, static_cast<int>(date.year()));
  put(7, static_cast<unsigned>(date.month()));
  put(10, static_cast<unsigned>(date.day()));
  put(13, of_day.hours().count());
  put(16, of_day.minutes().count());
  put(19, of_day.seconds().count());
  put(29, of_day.subseconds().count());
  return out;
}

namespace {

// The form that to_rfc3339 writes; the general one below takes ten times as long.
std::optional<Timestamp> from_own_form(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd.dddddddddZ";
  if (text.size() != kForm.size()) return std::nullopt;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    bool fits = kForm[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == kForm[i];
    if (!fits) return std::nullopt;
  }
  auto number = [&](std::size_t at, std::size_t length) {
    int out = 0;
    for (char c : text.substr(at, length)) out = out * 10 + (c - '0');
    return out;
  };
  chrono::year_month_day date(chrono::year(number(0, 4)), chrono::month(static_cast<unsigned>(number(5, 2))),
                              chrono::day(static_cast<unsigned>(number(8, 2))));
  bool sane = date.ok() && number(0, 4) >= 1700 && number(0, 4) < 2200 && number(11, 2) < 24 && number(14, 2) < 60 &&
              number(17, 2) < 60;
  if (!sane) return std::nullopt;
  auto of_day = chrono::hours(number(11, 2)) + chrono::minutes(number(14, 2)) + chrono::seconds(number(17, 2)) +
                chrono::nanoseconds(number(20, 9));
  return Timestamp(chrono::sys_days(date)) + of_day;
}

}  // namespace

std::optional<Timestamp> from_rfc3339(std::string_view text) {
  if (auto time = from_own_form(text)) return time;
  std::tm tm{};
  std::string owned(text);
  const char* rest = ::strptime(owned.c_str(), "%Y-%m-%dT%H:%M:%S", &tm);
  if (rest == nullptr) return std::nullopt;
  std::int64_t nanos = 0;
  if (*rest == '.') {
    ++rest;
    std::int64_t scale = 100'000'000;
    const char* start = rest;
    for (; std::isdigit(static_cast<unsigned char>(*rest)) != 0; ++rest, scale /= 10) nanos += (*rest - '0') * scale;
    if (rest == start) return std::nullopt;
  }
  std::int64_t offset = 0;
  if (*rest == 'Z' || *rest == 'z') {
    ++rest;
  } else if (*rest == '+' || *rest == '-') {
    int hours = 0, minutes = 0, used = 0;
    if (std::sscanf(rest + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2) return std::nullopt;
    offset = (hours * 3600 + minutes * 60) * (*rest == '-' ? -1 : 1);
    rest += 1 + used;
  } else {
    return std::nullopt;
  }
  if (*rest != '\0') return std::nullopt;
  // 64 bits of nanoseconds reach from 1678 to 2261.
  constexpr std::int64_t kMost = 9'223'372'035;
  auto seconds = static_cast<std::int64_t>(::timegm(&tm)) - offset;
  if (seconds < -kMost || seconds > kMost) return std::nullopt;
  return Timestamp(chrono::seconds(seconds) + chrono::nanoseconds(nanos));
}

namespace {

struct Unit {
  std::string_view name;
  double nanos;
};
constexpr std::array kUnits{Unit{"ns", 1},  Unit{"us", 1e3}, Unit{"µs", 1e3},   Unit{"ms", 1e6},
                            Unit{"s", 1e9}, Unit{"m", 60e9}, Unit{"h", 3600e9}, Unit{"d", 86400e9}};

bool digit_or_dot(char c) { return (c >= '0' && c <= '9') || c == '.'; }

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    std::size_t digits = 0;
    while (digits < text.size() && digit_or_dot(text[digits])) ++digits;
    double amount = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + digits, amount);
    if (digits == 0 || error != std::errc() || end != text.data() + digits) return std::nullopt;
    text.remove_prefix(digits);
    std::size_t letters = 0;
    while (letters < text.size() && !digit_or_dot(text[letters])) ++letters;
    auto name = text.substr(0, letters);
    const Unit* unit = nullptr;
    for (const auto& candidate : kUnits)
      if (candidate.name == name) unit = &candidate;
    if (unit == nullptr) return std::nullopt;
    total += amount * unit->nanos;
    text.remove_prefix(letters);
  }
  if (total > 9.2e18) return std::nullopt;
  return Duration(static_cast<std::int64_t>(total));
}

std::string to_string(Duration duration) {
  using namespace chrono;
  if (duration == Duration(0)) return "0s";
  if (duration < Duration(0)) return "-" + to_string(-duration);
  std::string out;
  auto h = duration_cast<hours>(duration);
  auto m = duration_cast<minutes>(duration - h);
  auto s = duration_cast<seconds>(duration - h - m);
  auto rest = duration - h - m - s;
  if (h.count() != 0) out += fmt::format("{}h", h.count());
  if (m.count() != 0) out += fmt::format("{}m", m.count());
  if (s.count() != 0) out += fmt::format("{}s", s.count());
  if (rest.count() == 0) return out;
  if (rest.count() % 1'000'000 == 0) return out + fmt::format("{}ms", rest.count() / 1'000'000);
  if (rest.count() % 1'000 == 0) return out + fmt::format("{}us", rest.count() / 1'000);
  return out + fmt::format("{}ns", rest.count());
}

std::string about(Duration duration) {
  auto seconds = chrono::duration_cast<chrono::seconds>(duration).count();
  auto say = [](std::int64_t n, std::string_view unit) { return fmt::format("{} {}{}", n, unit, n == 1 ? "" : "s"); };
  if (seconds < 1) return "less than a second";
  if (seconds < 60) return say(seconds, "second");
  if (seconds < 3600) return say(seconds / 60, "minute");
  if (seconds < 2 * 86400) return say(seconds / 3600, "hour");
  if (seconds < 14 * 86400) return say(seconds / 86400, "day");
  if (seconds < 60 * 86400) return say(seconds / (7 * 86400), "week");
  if (seconds < 2 * 365 * 86400) return say(seconds / (30 * 86400), "month");
  return say(seconds / (365 * 86400), "year");
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  double amount = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
  if (error != std::errc() || amount < 0) return std::nullopt;
  std::string unit;
  for (const char* c = end; c != text.data() + text.size(); ++c)
    if (*c != ' ') unit.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(*c))));
  static constexpr std::string_view kPrefixes = "kmgtp";
  double scale = 1;
  if (!unit.empty() && unit != "b") {
    auto index = kPrefixes.find(unit[0]);
    auto tail = std::string_view(unit).substr(1);
    if (index == std::string_view::npos || !(tail.empty() || tail == "b" || tail == "ib")) return std::nullopt;
    for (std::size_t i = 0; i <= index; ++i) scale *= 1024;
  }
  double total = amount * scale;
  if (total >= static_cast<double>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return static_cast<std::uint64_t>(total);
}

std::string human_bytes(std::uint64_t bytes) {
  static constexpr std::array kNames{"B", "kB", "MB", "GB", "TB", "PB"};
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= 999.95 && unit + 1 < kNames.size(); ++unit) amount /= 1000;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", amount, kNames[unit]);
}

}  // namespace gantry
