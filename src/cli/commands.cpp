#include <algorithm>
#include <array>

#include "command.h"

namespace gantry::cli {
namespace {

// What docker calls some commands.
constexpr std::array kAliases{
    std::pair<std::string_view, std::string_view>{"images", "image ls"},
    std::pair<std::string_view, std::string_view>{"image list", "image ls"},
    std::pair<std::string_view, std::string_view>{"image remove", "image rm"},
    std::pair<std::string_view, std::string_view>{"image build", "build"},
    std::pair<std::string_view, std::string_view>{"rmi", "image rm"},
    std::pair<std::string_view, std::string_view>{"tag", "image tag"},
    std::pair<std::string_view, std::string_view>{"history", "image history"},
    std::pair<std::string_view, std::string_view>{"save", "image save"},
    std::pair<std::string_view, std::string_view>{"load", "image load"},
    std::pair<std::string_view, std::string_view>{"import", "image import"},
    std::pair<std::string_view, std::string_view>{"image pull", "pull"},
    std::pair<std::string_view, std::string_view>{"image push", "push"},
    std::pair<std::string_view, std::string_view>{"network list", "network ls"},
    std::pair<std::string_view, std::string_view>{"network remove", "network rm"},
    std::pair<std::string_view, std::string_view>{"volume list", "volume ls"},
    std::pair<std::string_view, std::string_view>{"volume remove", "volume rm"},
    std::pair<std::string_view, std::string_view>{"stack list", "stack ls"},
    std::pair<std::string_view, std::string_view>{"system df", "disk"},
    std::pair<std::string_view, std::string_view>{"system prune", "prune"},
    std::pair<std::string_view, std::string_view>{"builder prune", "prune"},
};

std::vector<Command> joined(std::vector<Command> first, const std::vector<Command>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace

const std::vector<CommandGroup>& command_groups() {
  static const std::vector<CommandGroup> groups{
      {"Stacks", stack_commands()},
      {"Containers", run_commands()},
      {"Managing containers", container_commands()},
      {"Files of containers", file_commands()},
      {"Use of the machine", number_commands()},
      {"Disk", disk_commands()},
      {"Images", joined(build_commands(), image_commands())},
      {"Registries", registry_commands()},
      {"Networks", network_commands()},
      {"Volumes", volume_commands()},
      {"The system", system_commands()},
  };
  return groups;
}

const Command* find_command(std::string_view name) {
  for (const auto& [alias, meant] : kAliases)
    if (alias == name) name = meant;
  for (const auto& group : command_groups())
    for (const auto& command : group.commands)
      if (command.name == name) return &command;
  return nullptr;
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const auto& group : command_groups())
    for (const auto& command : group.commands) names.emplace_back(command.name);
  return names;
}

bool is_command_family(std::string_view name) {
  if (name.empty() || name.find(' ') != std::string_view::npos) return false;
  auto prefix = std::string(name) + " ";
  return std::ranges::any_of(command_names(), [&](const auto& known) { return known.starts_with(prefix); });
}

}  // namespace gantry::cli
