#include "gather.h"

namespace gantry::cli {
namespace {

struct Shared {
  explicit Shared(asio::any_io_executor executor, std::size_t count) : failures(count), open(count), done(executor) {}
  std::vector<std::exception_ptr> failures;
  std::size_t open;
  Event done;
};

}  // namespace

task<std::vector<std::exception_ptr>> gather(std::vector<task<>> tasks) {
  auto executor = co_await asio::this_coro::executor;
  auto shared = std::make_shared<Shared>(executor, tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    auto finished = [shared, i](std::exception_ptr failure) {
      shared->failures[i] = failure;
      if (--shared->open == 0) shared->done.set();
    };
    asio::co_spawn(executor, std::move(tasks[i]), finished);
  }
  if (shared->open > 0) co_await shared->done.wait();
  co_return shared->failures;
}

task<int> for_each_name(Context& context, std::vector<std::string> names,
                        std::function<task<>(Context&, std::string)> work, bool print_names) {
  std::vector<task<>> tasks;
  for (const auto& name : names) tasks.push_back(work(context, name));
  auto failures = co_await gather(std::move(tasks));
  int status = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!failures[i]) {
      if (print_names) context.console.out(names[i] + "\n");
      continue;
    }
    auto error = to_error(failures[i]);
    context.console.err(describe(error));
    if (status == 0) status = exit_code(error.kind());
  }
  co_return status;
}

}  // namespace gantry::cli
