#include "exec.h"

#include "gantry/base/files.h"
#include "gantry/base/log.h"

namespace gantry::runtime {
namespace {

class ShimExec : public ExecProcess {
 public:
  ShimExec(std::shared_ptr<ShimLink> link, std::unique_ptr<StdioSession> session, std::filesystem::path directory)
      : link_(std::move(link)), session_(std::move(session)), directory_(std::move(directory)) {}

  // What still runs keeps its directory, which goes with the container's.
  ~ShimExec() override {
    if (link_->gone()) try {
        remove_tree(directory_);
      } catch (const Error& error) {
        log::warn("exec directory left behind: {}", error.message());
      }
    link_->close();
  }

  pid_t pid() const override { return link_->status().pid; }
  std::unique_ptr<StdioSession> session() override { return std::move(session_); }

  task<> resize(std::uint16_t rows, std::uint16_t columns) override {
    shim::Window window{.rows = rows, .columns = columns};
    link_->tell(shim::Message::resize, to_payload(window));
    co_return;
  }

  task<ExitStatus> ended() override {
    auto link = link_;
    co_await link->until(shim::State::exited);
    co_return status_of(*link);
  }

  task<ExitStatus> wait() override {
    auto link = link_;
    co_await link->until_gone();
    co_return status_of(*link);
  }

  void signal(int number) override {
    std::int32_t value = number;
    link_->tell(shim::Message::signal, std::string(reinterpret_cast<const char*>(&value), sizeof value));
  }

 private:
  static ExitStatus status_of(const ShimLink& link) {
    if (!link.reached(shim::State::exited)) return ExitStatus{.code = 137, .signaled = true};  // the shim was killed
    return ExitStatus{.code = link.status().code, .signaled = link.status().signaled != 0};
  }

  std::shared_ptr<ShimLink> link_;
  std::unique_ptr<StdioSession> session_;
  std::filesystem::path directory_;
};

}  // namespace

std::unique_ptr<ExecProcess> make_exec_process(std::shared_ptr<ShimLink> link, std::unique_ptr<StdioSession> session,
                                               std::filesystem::path directory) {
  return std::make_unique<ShimExec>(std::move(link), std::move(session), std::move(directory));
}

}  // namespace gantry::runtime
