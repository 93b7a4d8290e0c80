#include "dir_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>

#include "gantry/base/error.h"

namespace gantry::engine {

struct DirWatch::State : std::enable_shared_from_this<DirWatch::State> {
  State(asio::any_io_executor executor, std::function<void()> on_change)
      : events(std::move(executor)), changed(std::move(on_change)) {}

  void listen() {
    events.async_wait(asio::posix::stream_descriptor::wait_read,
                      [weak = weak_from_this()](const boost::system::error_code& failed) {
                        auto self = weak.lock();
                        if (failed || !self) return;
                        self->drain();
                        self->listen();
                        self->changed();
                      });
  }

  // Which file it was does not matter: the reader looks by itself.
  void drain() {
    alignas(inotify_event) std::array<char, 4096> buffer{};
    while (::read(events.native_handle(), buffer.data(), buffer.size()) > 0) {
    }
  }

  asio::posix::stream_descriptor events;
  std::function<void()> changed;
};

DirWatch::DirWatch(asio::any_io_executor executor, const std::filesystem::path& directory,
                   std::function<void()> changed)
    : state_(std::make_shared<State>(std::move(executor), std::move(changed))) {
  int raw = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (raw < 0) throw_errno("inotify_init1");
  state_->events.assign(raw);
  if (::inotify_add_watch(raw, directory.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
    throw_errno("watch " + directory.string());
  state_->listen();
}

DirWatch::~DirWatch() { state_->events.close(); }

}  // namespace gantry::engine
