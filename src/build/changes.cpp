#include "gantry/build/changes.h"

#include <algorithm>
#include <array>

#include "dockerfile/instruction.h"
#include "plan/stage_planner.h"
#include "plan/variables.h"

namespace gantry::build {
namespace {

bool is_allowed(Keyword keyword) {
  static constexpr std::array kAllowed = {Keyword::cmd,    Keyword::entrypoint,  Keyword::env,   Keyword::expose,
                                          Keyword::label,  Keyword::healthcheck, Keyword::shell, Keyword::onbuild,
                                          Keyword::volume, Keyword::stopsignal,  Keyword::user,  Keyword::workdir};
  return std::find(kAllowed.begin(), kAllowed.end(), keyword) != kAllowed.end();
}

}  // namespace

oci::ImageConfig apply_changes(oci::ImageConfig config, const std::vector<std::string>& changes) {
  if (changes.empty()) return config;
  std::vector<Finding> findings;
  std::vector<Instruction> instructions;
  int number = 0;
  for (const auto& text : changes) {
    ++number;
    LogicalLine line("change");
    line.append(text, number, 1);
    auto instruction = parse_instruction(line, '\\', findings);
    if (!instruction) continue;
    if (is_allowed(instruction->keyword)) {
      instructions.push_back(std::move(*instruction));
    } else {
      auto name = std::string(name_of(instruction->keyword));
      findings.push_back({instruction->place, name + " is not a valid change command"});
    }
  }
  Arguments arguments(Options(), Platform::current(), "");
  FindImage no_image = [](const std::string&, const Platform&) -> image::ImageInfo {
    throw Error(ErrorKind::invalid, "a change takes nothing from other images");
  };
  auto no_stage = [](const Word&) -> std::optional<std::size_t> { return std::nullopt; };
  StagePlanner planner({std::move(config), {}}, arguments, nullptr, no_image, no_stage, '\\', findings);
  for (const auto& instruction : instructions) planner.apply(instruction);
  if (!findings.empty()) {
    auto message = findings.front().message;
    throw Error(ErrorKind::invalid, std::move(message), std::move(findings), "write it as a Dockerfile has it");
  }
  return planner.state().config;
}

}  // namespace gantry::build
