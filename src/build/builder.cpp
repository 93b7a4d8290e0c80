#include "gantry/build/builder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/image/archive.h"
#include "layer_cache.h"
#include "session.h"

namespace gantry::build {

namespace fs = std::filesystem;

namespace {

// Everything that goes wrong in a step says which one, and where it stands.
Error at_step(const Error& error, const PlannedStep& step, int count) {
  auto message =
      "step " + std::to_string(step.number) + "/" + std::to_string(count) + " (" + step.text + "): " + error.message();
  auto findings = error.findings();
  if (findings.empty()) findings.push_back({step.place, error.message()});
  auto fix = error.fix();
  if (fix.empty() && error.kind() == ErrorKind::exhausted) fix = "give space back (gantry image rm), then build again";
  return {error.kind(), std::move(message), std::move(findings), std::move(fix)};
}

}  // namespace

struct Builder::Impl {
  WorkerPool& pool;
  Executor& executor;
  image::ImageStore& images;
  LayerCache cache;
  fs::path scratch;

  task<> run_step(std::shared_ptr<Session> session, const PlannedStage* stage, const PlannedStep* step, StepSink sink);
  task<> checked_step(std::shared_ptr<Session> session, const PlannedStage* stage, const PlannedStep* step,
                      StepSink sink);
  task<image::ImageInfo> run(std::shared_ptr<Session> session, StepSink sink);
};

Builder::Builder(WorkerPool& pool, store::Database& database, image::ImageStore& images, Executor& executor,
                 fs::path scratch_dir)
    : impl_(new Impl{pool, executor, images, LayerCache(database, images), std::move(scratch_dir)}) {
  make_directories(impl_->scratch, 0700);
}

Builder::~Builder() = default;

void Builder::recover() {
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(impl_->scratch)) left.push_back(entry.path());
  for (const auto& path : left) remove_tree(path);
}

task<> Builder::Impl::run_step(std::shared_ptr<Session> session, const PlannedStage* stage, const PlannedStep* step,
                               StepSink sink) {
  int count = session->plan().step_count;
  if (!step->makes_layer()) {
    session->note(*stage, *step);
    co_return;
  }
  auto begin = [session, stage, step] { return session->begin(*stage, *step); };
  auto prepared = co_await pool.run(begin);
  if (prepared.cached) {
    Step hit{.number = step->number, .count = count, .cached = true};
    sink(hit);
  }
  if (!prepared.run) co_return;
  auto output = [sink, number = step->number, count](std::string_view text) {
    sink(Step{.number = number, .count = count, .output = std::string(text)});
  };
  int code = co_await executor.run(std::move(*prepared.run), output);
  if (code != 0) {
    auto explain = [session, code] { return session->command_failure(code); };
    auto reason = co_await pool.run(explain);
    throw reason;
  }
  auto finish = [session, stage, step, key = prepared.key] { session->finish_run(*stage, *step, key); };
  co_await pool.run(finish);
}

task<> Builder::Impl::checked_step(std::shared_ptr<Session> session, const PlannedStage* stage, const PlannedStep* step,
                                   StepSink sink) {
  int count = session->plan().step_count;
  Step first{.number = step->number, .count = count, .text = step->text};
  sink(first);
  try {
    co_await run_step(session, stage, step, sink);
  } catch (const Error& error) {
    throw at_step(error, *step, count);
  }
}

task<image::ImageInfo> Builder::Impl::run(std::shared_ptr<Session> session, StepSink sink) {
  auto prepare = [session] { session->prepare(); };
  co_await pool.run(prepare);
  const auto& plan = session->plan();
  for (const auto& text : plan.notes) {
    Step note{.count = plan.step_count, .text = text};
    sink(note);
  }
  for (const auto& stage : plan.stages)
    for (const auto& step : stage.steps) co_await checked_step(session, &stage, &step, sink);
  auto commit = [session] { return session->commit(); };
  auto info = co_await pool.run(commit);
  Step done{.count = plan.step_count, .image = info.id};
  sink(done);
  co_return info;
}

task<image::ImageInfo> Builder::build(fs::path context, Options options, StepSink sink) {
  auto session =
      std::make_shared<Session>(impl_->images, impl_->cache, impl_->scratch, std::move(context), std::move(options));
  std::exception_ptr failure;
  std::optional<image::ImageInfo> info;
  try {
    info = co_await impl_->run(session, std::move(sink));
  } catch (...) {
    failure = std::current_exception();
  }
  // What a cancelled build has written goes too, and the caller waits for that.
  co_await asio::this_coro::throw_if_cancelled(false);
  std::optional<Error> why;
  if (failure) why = to_error(failure);
  auto discard = [session, why] { session->discard(why ? &*why : nullptr); };
  co_await impl_->pool.run(discard);
  if (failure) std::rethrow_exception(failure);
  co_return std::move(*info);
}

fs::path Builder::unpack_context(int fd) {
  TemporaryDirectory directory(impl_->scratch, "context-");
  Fd root = open_file(directory.path().string(), O_RDONLY | O_DIRECTORY);
  try {
    image::unpack_archive(fd, root.get(), {.whiteouts = false, .attributes = false});
  } catch (Error& error) {
    throw error.within("build context");
  }
  return directory.release();
}

}  // namespace gantry::build
