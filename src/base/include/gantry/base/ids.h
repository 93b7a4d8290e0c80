#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>

namespace gantry {

/// `length` random lower-case hexadecimal digits from getrandom(2).
std::string random_hex(std::size_t length);

/// A string that means one thing only. `Tag` makes each use a type of its own.
template <class Tag>
class StrongString {
 public:
  StrongString() = default;
  explicit StrongString(std::string value) : value_(std::move(value)) {}
  const std::string& str() const { return value_; }
  bool empty() const { return value_.empty(); }
  auto operator<=>(const StrongString&) const = default;

 private:
  std::string value_;
};

/// 64 hexadecimal digits, as in the Docker Engine API.
using ContainerId = StrongString<struct ContainerIdTag>;
using NetworkId = StrongString<struct NetworkIdTag>;
using ExecId = StrongString<struct ExecIdTag>;

template <class Id>
Id make_id() {
  return Id(random_hex(64));
}
/// The first twelve digits, as people see them.
template <class Tag>
std::string short_id(const StrongString<Tag>& id) {
  return id.str().substr(0, 12);
}

/// [a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}: names of containers, volumes, networks, stacks. Anything else is an Error
/// (invalid) that names `what` and the rule.
void require_valid_name(std::string_view what, std::string_view name);
bool is_valid_name(std::string_view name);

}  // namespace gantry

template <class Tag>
struct std::hash<gantry::StrongString<Tag>> {
  std::size_t operator()(const gantry::StrongString<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.str());
  }
};
