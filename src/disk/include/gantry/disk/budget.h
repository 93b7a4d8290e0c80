#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gantry::disk {

/// How much something may take of the disk: bytes, a share of the file system, or as much as there is.
class Limit {
 public:
  static Limit none() { return Limit(); }
  static Limit bytes(std::uint64_t bytes);
  static Limit percent(unsigned percent);
  /// "20G", "512M" (units of 1024), "1234567", "40%", "none". Error invalid.
  static Limit parse(std::string_view text);

  /// In bytes, on a file system of that size; nullopt: none.
  std::optional<std::uint64_t> of(std::uint64_t file_system) const;
  std::string str() const;

 private:
  std::optional<std::uint64_t> bytes_;
  std::optional<unsigned> percent_;
};

/// docs/decisions/0011-budgets.md says why these.
struct Budgets {
  Limit images = Limit::percent(50);
  Limit cache = Limit::percent(10);
  Limit logs = Limit::percent(5);
  Limit volumes = Limit::percent(80);
  Limit mirror = Limit::percent(20);  ///< what the registry inside has of others
};

}  // namespace gantry::disk
