#include <string.h>

#include "gantry/runtime/zygote_order.h"
#include "run.h"
#include "zygote.h"

/// One per container or exec; see src/shim. Started by gantryd only.
int main(int count, char** words) {
  const char* kind = count > 1 ? words[1] : "plain";
  if (strcmp(kind, gantry::runtime::shim::kZygote) == 0) kind = gantry::shim::serve_orders();
  return gantry::shim::run(kind);
}
