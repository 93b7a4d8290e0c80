#include "build_run.h"

#include <algorithm>

#include "gantry/base/error.h"

namespace gantry::build {
namespace {

std::string cache_id(const MountPlan& plan) { return plan.flag.id.empty() ? plan.target : plan.flag.id; }

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

std::vector<std::size_t> stages_of(const PlannedStep& step) {
  std::vector<std::size_t> out;
  if (step.copy && step.copy->from.stage) out.push_back(*step.copy->from.stage);
  if (!step.run) return out;
  for (const auto& mount : step.run->mounts)
    if (mount.from.stage) out.push_back(*mount.from.stage);
  return out;
}

task<> noted(task<> work, std::exception_ptr* first) {
  std::exception_ptr failure;
  try {
    co_await std::move(work);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  if (!*first) *first = failure;
  std::rethrow_exception(failure);
}

// Waits for all, also when one fails: then the others are cancelled first.
task<> together(std::vector<task<>> work) {
  auto executor = co_await asio::this_coro::executor;
  std::exception_ptr first;
  using Operation = decltype(asio::co_spawn(executor, noted(std::move(work[0]), &first), asio::deferred));
  std::vector<Operation> operations;
  operations.reserve(work.size());
  for (auto& one : work) operations.push_back(asio::co_spawn(executor, noted(std::move(one), &first), asio::deferred));
  auto group = asio::experimental::make_parallel_group(std::move(operations));
  co_await group.async_wait(asio::experimental::wait_for_one_error(), asio::use_awaitable);
  if (first) std::rethrow_exception(first);
}

/// A step that others need not do at the same time.
class Flight {
 public:
  Flight(Flights& flights, std::string key, std::shared_ptr<Event> event) : flights_(flights), key_(std::move(key)) {
    flights_[key_] = std::move(event);
  }
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;
  ~Flight() {
    auto event = flights_[key_];
    flights_.erase(key_);
    event->set();
  }

 private:
  Flights& flights_;
  std::string key_;
};

}  // namespace

task<> BuildRun::stages() {
  const auto& plan = session_->plan();
  auto executor = co_await asio::this_coro::executor;
  std::vector<task<>> work;
  for (const auto& one : plan.stages) ended_[one.index] = std::make_shared<Event>(executor);
  for (const auto& one : plan.stages) work.push_back(stage(&one));
  co_await together(std::move(work));
}

task<> BuildRun::stage(const PlannedStage* stage) {
  if (stage->base_stage) co_await ended_.at(*stage->base_stage)->wait();
  for (const auto& step : stage->steps) {
    auto needed = stages_of(step);
    for (auto other : needed) co_await ended_.at(other)->wait();
    co_await checked_step(stage, &step);
  }
  ended_.at(stage->index)->set();
}

task<> BuildRun::checked_step(const PlannedStage* stage, const PlannedStep* step) {
  Step first{.number = step->number, .count = count(), .text = step->text};
  sink_(first);
  try {
    co_await this->step(stage, step);
  } catch (const CommandError& error) {
    throw CommandError(at_step(error, *step, count()), error.argv(), error.code());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    throw at_step(error, *step, count());
  }
  Step done{.number = step->number, .count = count(), .layer = session_->top_layer(*stage), .done = true};
  sink_(done);
}

task<BuildRun::Prepared> BuildRun::begin(const PlannedStage* stage, const PlannedStep* step) {
  auto prepare = [session = session_, stage, step] { return session->begin(*stage, *step); };
  auto prepared = std::make_shared<Session::Prepared>(co_await shop_.pool.run(prepare));
  while (!prepared->fetch.empty()) {
    auto files = prepared->fetch;
    for (const auto& file : files) co_await fetch(file);
    *prepared = co_await shop_.pool.run(prepare);
  }
  co_return prepared;
}

task<> BuildRun::step(const PlannedStage* stage, const PlannedStep* step) {
  if (!step->makes_layer()) {
    session_->note(*stage, *step);
    co_return;
  }
  auto prepared = co_await begin(stage, step);
  std::optional<Flight> flight;
  if (prepared->run && session_->uses_cache(*stage)) {
    while (prepared->run && shop_.flights.contains(prepared->key)) {
      auto other = shop_.flights.at(prepared->key);
      co_await other->wait();
      prepared = co_await begin(stage, step);
    }
    auto executor = co_await asio::this_coro::executor;
    if (prepared->run) flight.emplace(shop_.flights, prepared->key, std::make_shared<Event>(executor));
  }
  if (prepared->cached) {
    Step hit{.number = step->number, .count = count(), .cached = true};
    sink_(hit);
  }
  if (prepared->run) co_await command(stage, step, prepared);
}

task<std::vector<std::shared_ptr<CacheMounts::Use>>> BuildRun::take_caches(Prepared prepared) {
  // Locked ones in one order, so that two builds cannot wait for each other.
  auto& caches = prepared->caches;
  std::sort(caches.begin(), caches.end(),
            [](const auto& a, const auto& b) { return cache_id(a.plan) < cache_id(b.plan); });
  std::vector<std::shared_ptr<CacheMounts::Use>> used;
  for (const auto& need : caches) {
    auto use = co_await shop_.mounts.take(cache_id(need.plan), need.plan.flag.sharing);
    auto path = use->path();
    used.push_back(std::move(use));
    auto prepare = [session = session_, plan = need.plan, path] { session->prepare_cache(plan, path); };
    co_await shop_.pool.run(prepare);
    prepared->run->mounts[need.mount].source = path;
  }
  co_return used;
}

task<> BuildRun::command(const PlannedStage* stage, const PlannedStep* step, Prepared prepared) {
  auto used = co_await take_caches(prepared);
  auto output = [sink = sink_, number = step->number, count = count()](std::string_view text) {
    sink(Step{.number = number, .count = count, .output = std::string(text)});
  };
  int code = co_await shop_.executor.run(std::move(*prepared->run), output);
  if (code != 0) {
    auto explain = [session = session_, code] { return session->command_failure(code); };
    auto reason = co_await shop_.pool.run(explain);
    throw CommandError(reason, step->run->argv, code);
  }
  auto finish = [session = session_, stage, step, key = prepared->key] { session->finish_run(*stage, *step, key); };
  co_await shop_.pool.run(finish);
}

task<> BuildRun::fetch(RemoteFile file) {
  if (file.git) {
    auto into = [session = session_, file] { return session->place_for(file); };
    auto directory = co_await shop_.pool.run(into);
    auto tree = co_await checkout_git(*file.git, directory, file.keep_git, session_->agent());
    session_->checked_out(file, tree);
    co_return;
  }
  if (remote_ == nullptr)
    throw Error(ErrorKind::unsupported, "ADD of " + file.url + ": this builder fetches nothing",
                "fetch it in a RUN step");
  auto place = [session = session_, file] { return session->place_for(file); };
  auto path = co_await shop_.pool.run(place);
  co_await remote_->fetch(file.url, path);
  auto check = [session = session_, file, path] { session->fetched(file, path); };
  co_await shop_.pool.run(check);
}

}  // namespace gantry::build
