#pragma once

#include <optional>
#include <vector>

#include "dockerfile/dockerfile.h"

/// One logical line -> one instruction. Private to the parser.
namespace gantry::build {

/// nullopt when there is nothing usable in it; what is wrong goes to `findings`.
std::optional<Instruction> parse_instruction(const LogicalLine& line, char escape, std::vector<Finding>& findings);

}  // namespace gantry::build
