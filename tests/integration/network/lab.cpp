#include "lab.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <ldns/ldns.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <nftables/libnftables.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <future>
#include <thread>

#include "gantry/base/ids.h"
#include "gantry/base/process.h"

namespace gantry::network::lab {
namespace {

constexpr int kPatience = 1200;  // milliseconds after which a silent peer counts as unreachable

Fd own_netns() { return open_file("/proc/thread-self/ns/net", O_RDONLY); }

void enter(const Fd& netns) {
  if (setns(netns.get(), CLONE_NEWNET) != 0) throw_errno("setns");
}

// A user namespace cannot be made by a thread among others: a child makes it and waits until it is opened.
Fd rootless_netns() {
  auto ready = make_pipe();
  auto leave = make_pipe();
  pid_t child = fork();
  if (child == 0) {
    char byte = unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? 'y' : 'n';
    leave.write.reset();
    (void)!write(ready.write.get(), &byte, 1);
    (void)!read(leave.read.get(), &byte, 1);
    _exit(0);
  }
  char byte = 'n';
  (void)!read(ready.read.get(), &byte, 1);
  if (byte != 'y') throw Error(ErrorKind::internal, "unshare failed");
  auto out = open_file(fmt::format("/proc/{}/ns/net", child), O_RDONLY);
  leave.write.reset();
  waitpid(child, nullptr, 0);
  return out;
}

Fd plain_netns() {
  return std::async(std::launch::async,
                    [] {
                      if (unshare(CLONE_NEWNET) != 0) throw_errno("unshare");
                      return own_netns();
                    })
      .get();
}

void within(const Space* where, const std::function<void()>& body) {
  if (where == nullptr) return body();
  where->run(body);
}

void ip(const std::string& arguments) {
  std::vector<std::string> words{"ip"};
  std::istringstream in(arguments);
  for (std::string word; in >> word;) words.push_back(word);
  // The child inherits the namespace of the thread that starts it.
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = fork();
  if (child == 0) {
    execvp("ip", argv.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) throw Error(ErrorKind::internal, "ip " + arguments + " failed");
}

asio::ip::tcp::endpoint endpoint_of(const std::string& address, std::uint16_t port) {
  return {asio::ip::make_address(address), port};
}

bool readable(int fd, int wait) {
  pollfd entry{fd, POLLIN, 0};
  return poll(&entry, 1, wait) > 0;
}

std::string describe(const sockaddr_storage& peer) {
  char text[INET6_ADDRSTRLEN] = {};
  if (peer.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(peer).sin_addr, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr, text, sizeof text);
  }
  std::string out = text;
  return out.starts_with("::ffff:") ? out.substr(7) : out;
}

bool connect_in_time(int fd, const asio::ip::tcp::endpoint& target) {
  fcntl(fd, F_SETFL, O_NONBLOCK);
  if (connect(fd, target.data(), static_cast<socklen_t>(target.size())) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd entry{fd, POLLOUT, 0};
  int failed = ETIMEDOUT;
  socklen_t size = sizeof failed;
  if (poll(&entry, 1, kPatience) > 0) getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size);
  errno = failed;
  return failed == 0;
}

std::string exchange(const std::string& address, std::uint16_t port, bool udp, std::string_view question) {
  auto target = endpoint_of(address, port);
  Fd fd(socket(target.protocol().family(), (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
  if (!connect_in_time(fd.get(), target)) return std::string("error: ") + std::strerror(errno);
  if (!question.empty()) (void)!send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL);
  if (!readable(fd.get(), kPatience)) return "error: silence";
  std::string buffer(65536, 0);
  auto size = recv(fd.get(), buffer.data(), buffer.size(), 0);
  if (size < 0) return std::string("error: ") + std::strerror(errno);
  buffer.resize(static_cast<std::size_t>(size));
  return buffer;
}

}  // namespace

Space::Space(bool rootless) : fd_(rootless ? rootless_netns() : plain_netns()) {
  run([] { ip("link set lo up"); });
}

void Space::run(const std::function<void()>& body) const {
  std::async(std::launch::async, [&] {
    enter(fd_);
    body();
  }).get();
}

PlayHost::PlayHost() : before_(own_netns()) {
  if (unshare(CLONE_NEWNET) != 0) throw_errno("unshare");
  ip("link set lo up");
  // A new namespace starts with the machine's forwarding, which a gantryd of another test may have switched on.
  write_file("/proc/sys/net/ipv4/ip_forward", "0");
}

PlayHost::~PlayHost() { enter(before_); }

Outside::Outside() {
  // No waiting for duplicates: the first packet of a test would be lost.
  auto without_dad = [] { write_file("/proc/sys/net/ipv6/conf/default/accept_dad", "0"); };
  without_dad();
  space.run(without_dad);
  // `ip` names a namespace by process or file: the descriptor of this process serves as the file.
  auto self = fmt::format("/proc/{}/fd/{}", getpid(), space.fd().get());
  ip("link add up0 type veth peer name eth0 netns " + self);
  ip("addr add 198.51.100.1/24 dev up0");
  ip("addr add 2001:db8:51::1/64 dev up0 nodad");
  ip("link set up0 up");
  space.run([] {
    ip("addr add 198.51.100.2/24 dev eth0");
    ip("addr add 2001:db8:51::2/64 dev eth0 nodad");
    ip("link set eth0 up");
    ip("route add default via 198.51.100.1");
    ip("-6 route add default via 2001:db8:51::1");
  });
}

struct Server::State {
  std::atomic<bool> stop = false;
  Fd socket;
  std::thread thread;
};

Server::Server(const Space* where, std::uint16_t port, bool udp) : state_(std::make_shared<State>()) {
  within(where, [&] {
    state_->socket = Fd(socket(AF_INET6, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
    int on = 1;
    setsockopt(state_->socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    auto any = endpoint_of("::", port);
    if (bind(state_->socket.get(), any.data(), static_cast<socklen_t>(any.size())) != 0) throw_errno("bind");
    if (!udp && listen(state_->socket.get(), 16) != 0) throw_errno("listen");
  });
  state_->thread = std::thread([state = state_, udp] {
    std::vector<Fd> kept;  // connections stay open until the server goes
    while (!state->stop) {
      if (!readable(state->socket.get(), 20)) continue;
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      auto* address = reinterpret_cast<sockaddr*>(&peer);
      if (udp) {
        char buffer[512];
        (void)!recvfrom(state->socket.get(), buffer, sizeof buffer, 0, address, &size);
        auto text = describe(peer);
        (void)!sendto(state->socket.get(), text.data(), text.size(), 0, address, size);
      } else {
        kept.emplace_back(accept4(state->socket.get(), address, &size, SOCK_CLOEXEC));
        auto text = describe(peer);
        (void)!send(kept.back().get(), text.data(), text.size(), MSG_NOSIGNAL);
      }
    }
  });
}

Server::~Server() {
  state_->stop = true;
  state_->thread.join();
}

std::string ask(const Space* where, const std::string& address, std::uint16_t port, bool udp) {
  std::string out;
  within(where, [&] { out = exchange(address, port, udp, udp ? "?" : ""); });
  return out;
}

bool reaches(const Space* where, const std::string& address, std::uint16_t port, bool udp) {
  return !ask(where, address, port, udp).starts_with("error");
}

bool pings(const Space* where, const std::string& address) {
  bool answered = false;
  within(where, [&] {
    auto target = endpoint_of(address, 0);
    bool v4 = target.address().is_v4();
    Fd fd(socket(target.protocol().family(), SOCK_RAW | SOCK_CLOEXEC, v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6}));
    if (connect(fd.get(), target.data(), static_cast<socklen_t>(target.size())) != 0) return;
    unsigned char echo[8] = {static_cast<unsigned char>(v4 ? 8 : 128), 0, 0, 0, 0x12, 0x34, 0, 1};
    if (v4) {
      echo[2] = 0xe5;  // checksum of exactly these bytes
      echo[3] = 0xca;
    }
    (void)!send(fd.get(), echo, sizeof echo, 0);
    for (int i = 0; i < 10 && !answered && readable(fd.get(), kPatience); ++i) {
      unsigned char buffer[256];
      auto size = recv(fd.get(), buffer, sizeof buffer, 0);
      std::size_t start = v4 ? 20 : 0;
      answered = size > static_cast<ssize_t>(start) && buffer[start] == (v4 ? 0 : 129);
    }
  });
  return answered;
}

void add_route(const Space* where, const std::string& route) {
  within(where, [&] { ip("route add " + route); });
}

void add_address(const std::string& address, const std::string& link) { ip("addr add " + address + " dev " + link); }

std::vector<std::string> resolve(const Space* where, const std::string& server, const std::string& name,
                                 const std::string& type, int* rcode, bool tcp) {
  auto* query = ldns_pkt_query_new(ldns_dname_new_frm_str(name.c_str()), ldns_get_rr_type_by_name(type.c_str()),
                                   LDNS_RR_CLASS_IN, LDNS_RD);
  ldns_pkt_set_id(query, 4711);
  std::uint8_t* wire = nullptr;
  std::size_t size = 0;
  ldns_pkt2wire(&wire, query, &size);
  ldns_pkt_free(query);
  std::string question(reinterpret_cast<char*>(wire), size);
  std::free(wire);
  if (tcp) question = std::string{static_cast<char>(size >> 8), static_cast<char>(size & 0xff)} + question;
  std::string answer;
  within(where, [&] { answer = exchange(server, 53, !tcp, question); });
  std::vector<std::string> out;
  if (rcode != nullptr) *rcode = -1;
  if (answer.starts_with("error")) return out;
  if (tcp) answer = answer.substr(2);
  ldns_pkt* packet = nullptr;
  if (ldns_wire2pkt(&packet, reinterpret_cast<const std::uint8_t*>(answer.data()), answer.size()) != LDNS_STATUS_OK)
    return out;
  if (rcode != nullptr) *rcode = ldns_pkt_get_rcode(packet);
  const auto* records = ldns_pkt_answer(packet);
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(records); ++i) {
    char* text = ldns_rdf2str(ldns_rr_rdf(ldns_rr_list_rr(records, i), 0));
    out.emplace_back(text);
    std::free(text);
  }
  ldns_pkt_free(packet);
  std::sort(out.begin(), out.end());
  return out;
}

Daemon::Daemon(std::string instance, std::optional<std::filesystem::path> data) : instance_(std::move(instance)) {
  if (!data) own_data_.emplace("/tmp", "gantry-network-test-");
  data_ = data ? *data : own_data_->path();
  start();
  wait(manager_->recover({}));
}

Daemon::~Daemon() {
  if (manager_) {
    try {
      wait(manager_->remove_all());
    } catch (const std::exception&) {
      // the namespace goes anyway
    }
  }
  stop();
}

void Daemon::start() {
  pool_ = std::make_unique<WorkerPool>(2);
  database_ = std::make_unique<store::Database>(data_ / "gantry.db", std::vector<store::Schema>{schema()});
  context_ = std::make_unique<asio::io_context>(1);
  work_ = std::make_unique<asio::executor_work_guard<asio::io_context::executor_type>>(context_->get_executor());
  thread_ = std::make_unique<std::thread>([this] { context_->run(); });
  manager_ = std::make_unique<NetworkManager>(context_->get_executor(), *pool_, *database_, instance_);
}

void Daemon::stop() {
  if (!manager_) return;
  wait(manager_->close());
  asio::co_spawn(
      context_->get_executor(),
      [this]() -> task<> {
        manager_.reset();
        co_return;
      },
      asio::use_future)
      .get();
  work_.reset();
  thread_->join();
  context_.reset();
  pool_.reset();
  database_.reset();
}

void Daemon::wait(task<> work) { asio::co_spawn(context_->get_executor(), std::move(work), asio::use_future).get(); }

void Daemon::restart() {
  std::vector<ContainerId> alive;
  for (const auto& [id, info] : endpoints_) alive.push_back(id);
  restart(std::move(alive));
}

void Daemon::restart(std::vector<ContainerId> alive) {
  stop();
  start();
  wait(manager_->recover(std::move(alive)));
}

namespace {
task<> plan_into(NetworkManager* manager, ReservationSpec spec, std::optional<Reservation>* out) {
  out->emplace(co_await manager->plan(std::move(spec)));
}

task<> link_into(NetworkManager* manager, Fd netns, std::optional<WarmLink>* out) {
  out->emplace(co_await manager->prepare_link(std::move(netns)));
}
}  // namespace

WarmLink Daemon::wait_for_link(const Space& space) {
  std::optional<WarmLink> out;
  wait(link_into(manager_.get(), space.fd().duplicate(), &out));
  return std::move(*out);
}

Reservation Daemon::plan(ReservationSpec spec) {
  std::optional<Reservation> out;
  wait(plan_into(manager_.get(), std::move(spec), &out));
  return std::move(*out);
}

ContainerId Daemon::add(const std::string& network, const Space& space, std::vector<std::string> names) {
  auto id = make_id<ContainerId>();
  EndpointSpec spec;
  spec.container = id;
  spec.network = network;
  spec.names = std::move(names);
  endpoints_[id] = wait(manager_->reserve(spec));
  wait(manager_->plug(id, space.fd()));
  return id;
}

std::string fresh_instance() { return "t" + random_hex(3); }

std::string nft(const std::string& commands) {
  std::unique_ptr<nft_ctx, void (*)(nft_ctx*)> context(nft_ctx_new(NFT_CTX_DEFAULT), nft_ctx_free);
  nft_ctx_buffer_output(context.get());
  nft_ctx_buffer_error(context.get());
  if (nft_run_cmd_from_buffer(context.get(), commands.c_str()) != 0)
    throw Error(ErrorKind::internal, nft_ctx_get_error_buffer(context.get()));
  return nft_ctx_get_output_buffer(context.get());
}

std::string read_setting(const std::string& path) { return read_file("/proc/sys/net/" + path); }

std::string link_address(const std::string& link) {
  Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  link.copy(request.ifr_name, sizeof request.ifr_name - 1);
  if (ioctl(any.get(), SIOCGIFHWADDR, &request) != 0) throw_errno("look at link " + link);
  const auto* bytes = reinterpret_cast<const unsigned char*>(request.ifr_hwaddr.sa_data);
  return fmt::format("{:02x}", fmt::join(bytes, bytes + 6, ":"));
}

std::vector<std::string> link_names() {
  std::vector<std::string> out;
  auto* list = if_nameindex();
  for (auto* entry = list; entry->if_index != 0; ++entry) out.emplace_back(entry->if_name);
  if_freenameindex(list);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace gantry::network::lab
