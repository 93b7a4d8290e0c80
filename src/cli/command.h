#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "context.h"
#include "options.h"

namespace gantry::cli {

/// A command that is ready to be parsed and run.
struct Prepared {
  Options options;
  std::function<task<int>(Context&)> run;
};

/// One row of the table of commands; help, completion and the manual page are made of these.
struct Command {
  std::string_view name;  ///< "ps", "image ls"
  std::string_view summary;
  std::vector<std::string_view> examples;  ///< "gantry ps -a   # stopped ones too"
  Prepared (*prepare)();
};

/// Binds a struct of targets to its options and to the function that runs with it.
template <class State, void (*Declare)(Options&, State&), task<int> (*Run)(Context&, State)>
Prepared prepare() {
  auto state = std::make_shared<State>();
  Prepared prepared;
  Declare(prepared.options, *state);
  prepared.run = [state](Context& context) { return Run(context, *state); };
  return prepared;
}

/// In the order of the help, group by group.
struct CommandGroup {
  std::string_view title;
  std::vector<Command> commands;
};
const std::vector<CommandGroup>& command_groups();
/// nullptr when there is none of that name.
const Command* find_command(std::string_view name);
/// Every name: "up", "image ls", ...
std::vector<std::string> command_names();
/// "image" has commands below it.
bool is_command_family(std::string_view name);

std::vector<Command> stack_commands();
std::vector<Command> container_commands();
std::vector<Command> run_commands();
std::vector<Command> file_commands();
std::vector<Command> number_commands();
std::vector<Command> disk_commands();
std::vector<Command> build_commands();
std::vector<Command> image_commands();
std::vector<Command> registry_commands();
std::vector<Command> network_commands();
std::vector<Command> volume_commands();
std::vector<Command> system_commands();

}  // namespace gantry::cli
