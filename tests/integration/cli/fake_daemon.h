#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <mutex>
#include <thread>

#include "gantry/base/files.h"
#include "gantry/base/http_client.h"
#include "gantry/base/http_server.h"
#include "gantry/base/json.h"
#include "gantry/base/process.h"

namespace gantry::cli {

/// A daemon whose answers the test writes: handlers by "METHOD /path", everything else is 404. Keeps what was asked.
class FakeDaemon {
 public:
  explicit FakeDaemon(const std::filesystem::path& socket)
      : server_(io_.get_executor(), [this](http::Exchange& exchange) { return handle(exchange); }) {
    server_.listen({.path = socket});
    thread_ = std::thread([this] { io_.run(); });
  }
  ~FakeDaemon() {
    asio::co_spawn(io_, server_.close(), asio::use_future).get();
    work_.reset();
    thread_.join();
  }

  /// Before the client is started.
  void on(const std::string& what, http::Handler handler) {
    meet([&] { handlers_[what] = std::move(handler); });
  }
  void answer(const std::string& what, std::string json_text, int status = 200) {
    on(what, [json_text, status](http::Exchange& exchange) {
      return exchange.respond(status, std::string(http::kJson), json_text);
    });
  }

  /// "METHOD /path?query", in order.
  std::vector<std::string> seen() {
    std::lock_guard lock(mutex_);
    return seen_;
  }
  bool wait_for(const std::string& what) {
    for (int i = 0; i < 500; ++i) {
      for (const auto& request : seen())
        if (request == what) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  /// Runs `what` between the handlers: what they wrote can be read afterwards, and they see what was written before.
  void meet(const std::function<void()>& what = [] {}) {
    asio::post(io_, asio::use_future([&] { what(); })).get();
  }
  asio::io_context& io() { return io_; }

 private:
  task<> handle(http::Exchange& exchange) {
    const auto& request = exchange.request();
    auto what = request.method + " " + request.target.path;
    auto query = request.target.query.encode();
    {
      std::lock_guard lock(mutex_);
      seen_.push_back(query.empty() ? what : what + "?" + query);
    }
    auto found = handlers_.find(what);
    if (found == handlers_.end()) throw Error(ErrorKind::not_found, "no route " + what);
    co_await found->second(exchange);
  }

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  http::Server server_;
  std::map<std::string, http::Handler> handlers_;
  std::mutex mutex_;
  std::vector<std::string> seen_;
  std::thread thread_;
};

/// A directory, a daemon in it, and the client run there.
class ClientTest : public testing::Test {
 protected:
  TemporaryDirectory directory{std::filesystem::temp_directory_path(), "gantry-cli-"};
  std::filesystem::path socket = directory.path() / "s";
  std::optional<FakeDaemon> daemon;

  FakeDaemon& play() { return daemon.emplace(socket); }

  Command command(std::vector<std::string> arguments) const {
    Command out;
    out.argv = {GANTRY_PROGRAM};
    out.argv.insert(out.argv.end(), arguments.begin(), arguments.end());
    out.directory = directory.path();
    out.environment = {"PATH=/usr/bin:/bin", "GANTRY_HOST=unix://" + socket.string(), "HOME=/root", "TERM=xterm"};
    return out;
  }
  Captured gantry(std::vector<std::string> arguments, std::string_view input = {}) {
    if (daemon) daemon->meet();
    auto out = run_captured(command(std::move(arguments)), input, std::chrono::seconds(20));
    if (daemon) daemon->meet();
    return out;
  }
};

inline std::string container_json(const std::string& name, const std::string& more = "") {
  return R"({"id":")" + name +
         R"(0123456789abcdef","state":"running","created":"2026-11-21T08:00:00Z","spec":{"name":")" + name +
         R"(","image":"nginx:1","labels":{"gantry.stack":"shop","gantry.service":")" + name + R"("}})" + more + "}";
}

}  // namespace gantry::cli
