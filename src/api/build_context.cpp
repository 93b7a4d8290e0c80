#include "build_context.h"

#include "gantry/base/files.h"

namespace gantry::api {
namespace {

task<> remove_context(WorkerPool& pool, std::filesystem::path context) {
  auto remove = [context] { remove_tree(context); };
  co_await pool.run(remove);
}

}  // namespace

BuildContext::~BuildContext() {
  services_.changes.spawn("remove a build context", remove_context(services_.pool(), path_));
}

}  // namespace gantry::api
