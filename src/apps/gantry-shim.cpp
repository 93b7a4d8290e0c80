#include "run.h"

/// One per container or exec; see src/shim. Started by gantryd only.
int main(int count, char** words) { return gantry::shim::run(count > 1 ? words[1] : "plain"); }
