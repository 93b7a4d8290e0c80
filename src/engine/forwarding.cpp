#include <unistd.h>

#include <sstream>

#include "dir_watch.h"
#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "gantry/runtime/log_file.h"
#include "impl.h"
#include "logging/log_connection.h"
#include "logging/log_driver.h"
#include "logging/log_message.h"

// Logs that are sent on: read from the container's own log files, which the shim writes and bounds, so that neither the
// receiver nor this daemon ever holds a program up. How far it got is in a file beside them: after a restart of the
// daemon it goes on there. What is in doubt is sent twice rather than not at all.
namespace gantry::engine {
namespace {

constexpr std::size_t kBatch = 256;
constexpr auto kFirstPause = std::chrono::milliseconds(500);
constexpr auto kLongestPause = std::chrono::seconds(30);
// What a container that is being removed may still send.
constexpr auto kLastWords = std::chrono::seconds(3);

// Records of one time come in the order they were written.
struct Position {
  std::int64_t time = 0;
  std::uint64_t count = 0;  ///< of that time, sent already
};

std::filesystem::path position_file(const std::filesystem::path& directory) { return directory / "sent"; }

Position read_position(const std::filesystem::path& directory) {
  Position out;
  std::istringstream text(read_file_if_exists(position_file(directory)).value_or(""));
  text >> out.time >> out.count;
  return out;
}

void pass(Position* position, const runtime::LogEntry& entry) {
  auto time = entry.time.time_since_epoch().count();
  if (time != position->time) *position = {time, 0};
  ++position->count;
}

std::string own_host() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

// Forward through what was sent before.
class Skipper {
 public:
  explicit Skipper(Position until) : until_(until) {}
  bool skip(const runtime::LogEntry& entry) {
    auto time = entry.time.time_since_epoch().count();
    if (time < until_.time) return true;
    if (time > until_.time || seen_ >= until_.count) return false;
    ++seen_;
    return true;
  }

 private:
  Position until_;
  std::uint64_t seen_ = 0;
};

struct Batch {
  std::vector<runtime::LogEntry> entries;
  bool any = false;  ///< something was read, though perhaps passed over
};

Batch read_some(runtime::LogReader* reader, Skipper* skipper) {
  Batch out;
  while (out.entries.size() < kBatch) {
    auto entry = reader->next();
    if (!entry) break;
    out.any = true;
    if (!skipper->skip(*entry)) out.entries.push_back(std::move(*entry));
  }
  return out;
}

bool over(const Container& container) { return container.gone || !is_active(container.state()); }

}  // namespace

void Engine::Impl::begin_forwarding(ContainerPtr container) {
  if (!sends_logs(container->record.info.spec.log) || container->forwarding) return;
  container->forwarding = true;
  background.spawn("container " + container->name() + ": sending its log", forward(container));
}

task<> Engine::Impl::forward(ContainerPtr container) {
  std::exception_ptr failure;
  try {
    // Again when it was started while the last of the run before was read.
    for (bool more = true; more; more = !closing && !over(*container)) co_await forward_log(container);
  } catch (...) {
    failure = std::current_exception();
  }
  container->forwarding = false;
  wake(*container);
  if (failure) std::rethrow_exception(failure);
}

task<> Engine::Impl::forward_log(ContainerPtr container) {
  auto target = log_target(container->record.info.spec.log);
  auto origin = log_origin(container->record.info, container->record.internals.resolved.environment, own_host());
  auto directory = paths_of(container->id()).state();
  auto begin = [directory] {
    make_directories(directory, 0700);
    return read_position(directory);
  };
  auto position = co_await parts.pool.run(std::move(begin));
  auto reader = std::make_shared<runtime::LogReader>(directory);
  auto skipper = std::make_shared<Skipper>(position);
  DirWatch watch(parts.executor, directory, [weak = std::weak_ptr(container)] {
    if (auto still = weak.lock()) still->log_changed.notify();
  });
  std::unique_ptr<LogConnection> connection;
  while (!closing) {
    // Looked at before reading: what was written before the end is read after it was seen.
    bool last = over(*container);
    auto seen = container->log_changed.version();
    auto read = [reader, skipper] { return read_some(reader.get(), skipper.get()); };
    auto batch = co_await parts.pool.run(std::move(read));
    if (batch.entries.empty()) {
      if (batch.any) continue;
      if (last) co_return;
      if (container->log_changed.version() == seen) co_await container->log_changed.wait();
      continue;
    }
    if (!co_await deliver(container, &connection, target, origin, &batch.entries)) co_return;
    for (const auto& entry : batch.entries) pass(&position, entry);
    auto keep = [directory, position] {
      if (std::filesystem::exists(directory))
        write_file(position_file(directory), std::to_string(position.time) + " " + std::to_string(position.count));
    };
    co_await parts.pool.run(std::move(keep));
  }
}

// False: the container goes, and nobody takes its last words.
task<bool> Engine::Impl::deliver(ContainerPtr container, std::unique_ptr<LogConnection>* connection, LogTarget target,
                                 LogOrigin origin, std::vector<runtime::LogEntry>* entries) {
  std::chrono::steady_clock::duration pause = kFirstPause;
  std::size_t sent = 0;
  for (bool told = false;;) {
    std::exception_ptr failure;
    try {
      if (!*connection) *connection = co_await connect_log(target.address, target.tls);
      for (; sent < entries->size(); ++sent) {
        auto id = ++log_message_id;
        auto pieces = log_messages(target, origin, (*entries)[sent], id);
        for (auto& piece : pieces) co_await (*connection)->send(std::move(piece));
        if (target.confirmed) co_await (*connection)->expect(fluentd_confirmation(id));
      }
      co_return true;
    } catch (...) {
      failure = std::current_exception();
    }
    auto error = to_error(failure);
    if (error.kind() == ErrorKind::cancelled || closing) std::rethrow_exception(failure);
    connection->reset();
    // What went onto a stream just before it broke may not have arrived.
    if (!target.address.is_datagram() && !target.confirmed) sent = 0;
    if (container->gone || container->state() == State::removing) {
      log::warn("container {}: its last log records are not sent: {}", container->name(), error.message());
      co_return false;
    }
    if (!std::exchange(told, true)) log::warn("container {}: {}: trying again", container->name(), error.message());
    auto deadline = std::chrono::steady_clock::now() + pause;
    while (!closing && std::chrono::steady_clock::now() < deadline && container->state() != State::removing)
      co_await container->changed.wait(deadline);
    pause = std::min<std::chrono::steady_clock::duration>(pause * 2, kLongestPause);
  }
}

task<> Engine::Impl::finish_forwarding(ContainerPtr container) {
  if (!container->forwarding) co_return;
  wake(*container);
  auto deadline = std::chrono::steady_clock::now() + kLastWords;
  while (container->forwarding && !closing && std::chrono::steady_clock::now() < deadline)
    co_await container->changed.wait(deadline);
}

}  // namespace gantry::engine
