#include "pending_attach.h"

namespace gantry::engine {
namespace {

class DeferredSession : public StdioSession {
 public:
  explicit DeferredSession(std::shared_ptr<PendingAttach> pending) : pending_(std::move(pending)) {}

  task<std::optional<Chunk>> read() override {
    auto pending = pending_;
    auto* inner = co_await pending->wait();
    if (inner == nullptr) co_return std::nullopt;
    co_return co_await inner->read();
  }

  task<> write(std::string data) override {
    auto pending = pending_;
    if (auto* inner = co_await pending->wait()) co_await inner->write(std::move(data));
  }

  task<> close_input() override {
    auto pending = pending_;
    if (auto* inner = co_await pending->wait()) co_await inner->close_input();
  }

 private:
  std::shared_ptr<PendingAttach> pending_;
};

}  // namespace

void PendingAttach::bind(std::unique_ptr<StdioSession> inner) {
  inner_ = std::move(inner);
  ready_.set();
}

void PendingAttach::end() { ready_.set(); }

task<StdioSession*> PendingAttach::wait() {
  co_await ready_.wait();
  co_return inner_.get();
}

std::unique_ptr<StdioSession> make_session(std::shared_ptr<PendingAttach> pending) {
  return std::make_unique<DeferredSession>(std::move(pending));
}

}  // namespace gantry::engine
