#include "run.h"
#include "zygote.h"

/// One per container or exec; see src/shim. Started by gantryd only, once; the shims are copies of it.
int main() { return gantry::shim::run(gantry::shim::serve_orders()); }
