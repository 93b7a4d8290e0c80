#include "project.h"

namespace gantry::cli {

void declare_project(Options& options, ProjectFlags& flags) {
  options.list("-f,--file", "FILE", flags.files, "compose file; several are merged in order")
      .value("-p,--project-name", "NAME", flags.name, "name of the stack")
      .value("--project-directory", "DIR", flags.project_directory, "what relative paths in the file start from")
      .list("--profile", "NAME", flags.profiles, "activate a profile ('*': all)")
      .list("--env-file", "FILE", flags.env_files, "variables for the compose file, instead of .env");
}

compose::LoadOptions load_options(const Context& context, const ProjectFlags& flags,
                                  std::vector<std::string> services) {
  compose::LoadOptions options;
  options.files.assign(flags.files.begin(), flags.files.end());
  options.current_directory = context.directory;
  if (!flags.project_directory.empty())
    options.project_directory = (context.directory / flags.project_directory).lexically_normal();
  if (!flags.name.empty()) options.name = flags.name;
  options.env = context.environment;
  options.profiles = flags.profiles;
  options.services = std::move(services);
  options.env_files.assign(flags.env_files.begin(), flags.env_files.end());
  return options;
}

compose::Stack load_stack(const Context& context, const ProjectFlags& flags, std::vector<std::string> services) {
  auto loaded = compose::load(load_options(context, flags, std::move(services)));
  for (const auto& warning : loaded.warnings) context.console.err("warning: " + describe(warning));
  return std::move(loaded.stack);
}

std::string stack_name(const Context& context, const ProjectFlags& flags) {
  return flags.name.empty() ? compose::load_name(load_options(context, flags)) : flags.name;
}

}  // namespace gantry::cli
