#include "run.h"

/// One per container or exec; see src/shim. Started by gantryd only.
int main() { return gantry::shim::run(); }
