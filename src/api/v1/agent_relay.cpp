#include "agent_relay.h"

#include <sys/stat.h>
#include <unistd.h>

#include "gantry/base/relay.h"

namespace gantry::api::v1 {
namespace {

// A client opens the next connection as soon as one is taken.
constexpr auto kPatience = std::chrono::seconds(10);

}  // namespace

AgentRelay::AgentRelay(asio::any_io_executor executor, std::filesystem::path socket)
    : socket_(std::move(socket)), acceptor_(executor), scope_(executor) {
  asio::local::stream_protocol::endpoint endpoint(socket_.string());
  acceptor_.open(endpoint.protocol());
  acceptor_.bind(endpoint);
  if (::chmod(socket_.c_str(), 0666) < 0) throw_errno("set the mode of " + socket_.string());
  acceptor_.listen();
  offered_ = std::make_shared<Event>(executor);
  scope_.spawn("agent of a build", listen());
}

AgentRelay::~AgentRelay() { ::unlink(socket_.c_str()); }

task<> AgentRelay::listen() {
  for (;;) {
    auto connection = std::make_shared<LocalSocket>(co_await acceptor_.async_accept(asio::use_awaitable));
    scope_.spawn("connection to the agent of a build", carry(connection));
  }
}

task<AgentRelay::Waiting> AgentRelay::next() {
  while (waiting_.empty()) {
    auto event = offered_;
    co_await event->wait();
  }
  auto first = std::move(waiting_.front());
  waiting_.pop_front();
  co_return first;
}

task<> AgentRelay::carry(Connection connection) {
  using namespace asio::experimental::awaitable_operators;
  auto client = co_await with_timeout("the client's SSH agent", kPatience, next());
  gantry::detail::Outcome<void> there, back;
  co_await (gantry::detail::settle<void>(relay(connection.get(), client.client), &there) &&
            gantry::detail::settle<void>(relay(client.client, connection.get()), &back));
  client.ended->set();
}

task<> AgentRelay::offer(std::shared_ptr<http::ByteStream> client) {
  if (closed_) co_return;
  auto executor = co_await asio::this_coro::executor;
  auto ended = std::make_shared<Event>(executor);
  waiting_.push_back({client, ended});
  std::exchange(offered_, std::make_shared<Event>(executor))->set();
  co_await ended->wait();
}

task<> AgentRelay::close() {
  closed_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  for (const auto& one : waiting_) one.ended->set();
  waiting_.clear();
  co_await scope_.close();
}

}  // namespace gantry::api::v1
