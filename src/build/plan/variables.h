#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/dockerfile.h"
#include "plan/plan.h"

/// ARG and ENV and who sees them. Private to the planner.
namespace gantry::build {

/// Replaces or adds NAME=VALUE.
void set_variable(std::vector<std::string>& environment, const std::string& name, const std::string& value);
std::optional<std::string> find_variable(const std::vector<std::string>& environment, std::string_view name);

/// Proxy settings are known without ARG and leave no trace in history and cache.
bool is_proxy_argument(std::string_view name);

/// The arguments of one build: what the user gave, what is known by itself, what ARG before the first FROM says.
class Arguments {
 public:
  /// `platform`: of this machine.
  Arguments(const Options& options, const Platform& platform, const std::string& target);
  /// ARG before the first FROM.
  void declare_global(const std::string& name, const std::optional<std::string>& fallback);
  /// What FROM sees.
  std::optional<std::string> global(std::string_view name) const;
  /// What `ARG name` or `ARG name=fallback` in a stage means.
  std::optional<std::string> in_stage(const std::string& name, const std::optional<std::string>& fallback);
  const std::map<std::string, std::string>& given() const { return given_; }
  /// What is built for.
  const Platform& target() const { return target_; }
  /// Names given by the user that no ARG took.
  std::vector<std::string> unused() const;

 private:
  std::map<std::string, std::string> given_;
  Platform target_;
  std::map<std::string, std::string, std::less<>> automatic_;
  std::map<std::string, std::optional<std::string>, std::less<>> globals_;
  std::set<std::string, std::less<>> used_;
};

}  // namespace gantry::build
