#include "dir_watch.h"
#include "gantry/base/files.h"
#include "gantry/runtime/log_file.h"
#include "impl.h"
#include "logging/log_driver.h"

namespace gantry::engine {
namespace {

constexpr std::size_t kBatch = 512;

// Nothing will be written any more.
bool is_over(const Container& container) {
  if (container.gone) return true;
  auto state = container.state();
  return state == State::exited || state == State::removing;
}

std::vector<runtime::LogEntry> read_batch(runtime::LogReader* reader) {
  std::vector<runtime::LogEntry> out;
  while (out.size() < kBatch) {
    auto entry = reader->next();
    if (!entry) break;
    out.push_back(std::move(*entry));
  }
  return out;
}

bool wanted(const LogQuery& query, const runtime::LogEntry& entry) {
  if (query.since && entry.time < *query.since) return false;
  return entry.stream == StdStream::err ? query.err : query.out;
}

}  // namespace

task<std::unique_ptr<StdioSession>> Engine::Impl::attach(ContainerId id) {
  auto container = find(id);
  if (container->attachable) co_return co_await parts.runtime.attach(id);
  require_kept(*container);
  auto pending = std::make_shared<PendingAttach>(parts.executor);
  container->attaching.push_back(pending);
  co_return make_session(pending);
}

void Engine::Impl::end_attaching(Container& container) {
  auto waiting = std::exchange(container.attaching, {});
  for (const auto& pending : waiting) pending->end();
}

task<> Engine::Impl::resize(ContainerId id, TerminalSize size) {
  auto container = find(id);
  if (!container->record.info.spec.tty)
    throw Error(ErrorKind::conflict, "container " + container->name() + " has no terminal", "create it with --tty");
  container->terminal = size;
  if (container->attachable) co_await parts.runtime.resize(id, size.rows, size.columns);
}

task<> Engine::Impl::logs(ContainerId id, LogQuery query, std::function<task<>(LogRecord)> sink) {
  auto container = find(id);
  require_readable(container->record.info.spec.log);
  auto directory = paths_of(id).state();
  auto reader = std::make_shared<runtime::LogReader>(directory);
  // Who does not follow gets what there is now, however fast the program goes on writing.
  if (!query.follow) query.until = std::min(query.until.value_or(Timestamp::max()), now());
  auto begin = [reader, directory, tail = query.tail] {
    make_directories(directory, 0700);
    if (tail) reader->seek_tail(*tail);
  };
  co_await parts.pool.run(std::move(begin));
  std::optional<DirWatch> watch;
  if (query.follow)
    watch.emplace(parts.executor, directory, [weak = std::weak_ptr(container)] {
      if (auto still = weak.lock()) still->log_changed.notify();
    });
  for (;;) {
    // Looked at before reading: what was written before the end is read after it was seen.
    bool last = !query.follow || is_over(*container);
    auto seen = container->log_changed.version();
    auto read = [reader] { return read_batch(reader.get()); };
    auto batch = co_await parts.pool.run(std::move(read));
    for (auto& entry : batch) {
      if (query.until && entry.time > *query.until) co_return;
      if (!wanted(query, entry)) continue;
      LogRecord record{.time = entry.time, .stream = entry.stream, .data = std::move(entry.data)};
      co_await sink(std::move(record));
    }
    if (!batch.empty()) continue;
    if (last) co_return;
    if (closing) throw Error(ErrorKind::cancelled, "gantryd is stopping");
    if (container->log_changed.version() == seen) co_await container->log_changed.wait();
  }
}

}  // namespace gantry::engine
