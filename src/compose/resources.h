#pragma once

#include "value.h"

namespace gantry::compose {

/// The top-level `networks` and `volumes`.
void read_stack_networks(const Value& value, Stack& stack);
void read_stack_volumes(const Value& value, Stack& stack);
/// The network that services without `networks` and `network_mode` share, when the file does not describe it.
void add_default_network(Stack& stack);

}  // namespace gantry::compose
