#include "gantry/base/async.h"

#include <boost/asio/experimental/parallel_group.hpp>

#include <unordered_map>

#include "gantry/base/log.h"

namespace gantry {

struct Scope::State {
  struct Entry {
    std::string name;
    asio::cancellation_signal stop;
  };
  std::unordered_map<std::uint64_t, std::unique_ptr<Entry>> tasks;
  std::uint64_t next = 0;
  bool closing = false;
  std::shared_ptr<Event> empty;
};

Scope::Scope(asio::any_io_executor executor) : executor_(std::move(executor)), state_(std::make_shared<State>()) {}

Scope::~Scope() {
  if (!state_->tasks.empty()) log::error("a scope was destroyed with {} running tasks", state_->tasks.size());
}

void Scope::spawn(std::string name, task<> work) {
  if (state_->closing) return;  // the unstarted coroutine is destroyed here
  auto id = state_->next++;
  auto& entry = *(state_->tasks[id] = std::make_unique<State::Entry>());
  entry.name = std::move(name);
  asio::co_spawn(executor_, std::move(work),
                 asio::bind_cancellation_slot(entry.stop.slot(), [state = state_, id](std::exception_ptr failure) {
                   if (failure && !is_cancellation(failure))
                     log::error("{}: {}", state->tasks.at(id)->name, to_error(failure).message());
                   // The entry owns the signal that is being unwound through: release it after this handler.
                   auto finished = std::move(state->tasks.at(id));
                   state->tasks.erase(id);
                   if (state->tasks.empty() && state->empty) state->empty->set();
                 }));
}

task<> Scope::close() {
  auto state = state_;
  state->closing = true;
  if (state->tasks.empty()) co_return;
  state->empty = std::make_shared<Event>(executor_);
  // Emitting may end tasks at once and change the map: collect the ids first.
  std::vector<std::uint64_t> ids;
  for (const auto& [id, entry] : state->tasks) ids.push_back(id);
  for (auto id : ids)
    if (auto found = state->tasks.find(id); found != state->tasks.end())
      found->second->stop.emit(asio::cancellation_type::all);
  auto empty = state->empty;
  if (!state->tasks.empty()) co_await empty->wait();
}

std::size_t Scope::size() const { return state_->tasks.size(); }
bool Scope::closing() const { return state_->closing; }

task<> sleep_for(std::chrono::nanoseconds duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor,
                           std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration));
  boost::system::error_code failed;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, failed));
  if (failed) throw Error(ErrorKind::cancelled, "cancelled");
}

task<> Event::wait() {
  while (!set_) {
    boost::system::error_code failed;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, failed));
    auto state = co_await asio::this_coro::cancellation_state;
    if (!set_ && state.cancelled() != asio::cancellation_type::none) throw Error(ErrorKind::cancelled, "cancelled");
  }
}

task<Permits::Permit> Permits::acquire() {
  if (free_ > 0) {
    --free_;
    co_return Permit(this);
  }
  auto turn = std::make_shared<Event>(executor_);
  waiting_.push_back(turn);
  try {
    co_await turn->wait();
  } catch (...) {
    // Cancelled while waiting. If the turn was already handed over, pass it on; else leave the queue.
    if (turn->is_set()) {
      give_back();
    } else {
      std::erase(waiting_, turn);
    }
    throw;
  }
  co_return Permit(this);
}

void Permits::give_back() {
  if (waiting_.empty()) {
    ++free_;
    return;
  }
  auto next = std::move(waiting_.front());
  waiting_.pop_front();
  next->set();  // the permit passes to the next waiter without being free in between
}

namespace {

task<> report_to(task<> work, std::exception_ptr* failure) {
  try {
    co_await std::move(work);
  } catch (...) {
    if (!*failure) *failure = std::current_exception();
  }
}

}  // namespace

task<> all(std::vector<task<>> work) {
  if (work.empty()) co_return;
  auto executor = co_await asio::this_coro::executor;
  std::exception_ptr failure;
  using Operation = decltype(asio::co_spawn(executor, report_to(std::move(work[0]), &failure), asio::deferred));
  std::vector<Operation> operations;
  operations.reserve(work.size());
  for (auto& one : work)
    operations.push_back(asio::co_spawn(executor, report_to(std::move(one), &failure), asio::deferred));
  auto group = asio::experimental::make_parallel_group(std::move(operations));
  co_await group.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
  if (failure) std::rethrow_exception(failure);
}

bool is_cancellation(std::exception_ptr failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error.kind() == ErrorKind::cancelled;
  } catch (const boost::system::system_error& error) {
    return error.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

Error to_error(std::exception_ptr failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error;
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) return Error(ErrorKind::cancelled, "cancelled");
    if (error.code().category() == boost::system::system_category())
      return system_error(error.code().value(), "system call");
    return Error(ErrorKind::internal, error.what());
  } catch (const std::bad_alloc&) {
    return Error(ErrorKind::exhausted, "out of memory");
  } catch (const std::exception& error) {
    return Error(ErrorKind::internal, error.what());
  } catch (...) {
    return Error(ErrorKind::internal, "unknown exception");
  }
}

}  // namespace gantry
