#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "archive_builder.h"
#include "gantry/base/fd.h"
#include "gantry/oci/digest.h"

namespace gantry::registry::test {

struct Asked {
  std::string method, path;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
};

/// An answer, which may lie: `announced` is what Content-Length says, `stall` keeps the connection open in the end.
struct Reply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  std::optional<std::string> announced = std::nullopt;
  bool stall = false;
};

/// A registry on a loopback port that serves what it was given; `hook` may answer first, and as badly as it likes.
class FakeRegistry {
 public:
  using Hook = std::function<std::optional<Reply>(const Asked&)>;

  FakeRegistry() {
    listener_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_.get(), 64);
    socklen_t size = sizeof address;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept(); });
  }
  FakeRegistry(const FakeRegistry&) = delete;
  FakeRegistry& operator=(const FakeRegistry&) = delete;
  ~FakeRegistry() {
    ending_ = true;
    acceptor_.join();
    for (auto& thread : threads_) thread.join();
  }

  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string url() const { return "http://" + host(); }

  std::string blob(const std::string& data) {
    auto digest = oci::Digest::of(data).str();
    std::lock_guard lock(mutex_);
    blobs_[digest] = data;
    return digest;
  }
  std::string manifest(const std::string& repository, const std::string& tag, const std::string& text,
                       const std::string& type) {
    auto digest = oci::Digest::of(text).str();
    std::lock_guard lock(mutex_);
    for (const auto& name : {tag, digest}) manifests_[repository + "/" + name] = {text, type};
    return digest;
  }
  void hook(Hook hook) {
    std::lock_guard lock(mutex_);
    hook_ = std::move(hook);
  }
  std::vector<Asked> asked() {
    std::lock_guard lock(mutex_);
    return asked_;
  }
  std::size_t count(const std::string& method, const std::string& part) {
    std::size_t found = 0;
    for (const auto& one : asked())
      if (one.method == method && one.path.find(part) != std::string::npos) ++found;
    return found;
  }
  /// What the registry does of itself.
  Reply serve(const Asked& asked) {
    std::lock_guard lock(mutex_);
    if (asked.path == "/v2/") return {.body = "{}"};
    if (auto at = asked.path.find("/blobs/"); at != std::string::npos) {
      auto found = blobs_.find(asked.path.substr(at + 7));
      if (found == blobs_.end()) return missing("BLOB_UNKNOWN");
      return ranged(asked, found->second);
    }
    if (auto at = asked.path.find("/manifests/"); at != std::string::npos) {
      auto found = manifests_.find(asked.path.substr(4, at - 4) + "/" + asked.path.substr(at + 11));
      if (found == manifests_.end()) return missing("MANIFEST_UNKNOWN");
      return {.headers = {{"Content-Type", found->second.second},
                          {"Docker-Content-Digest", oci::Digest::of(found->second.first).str()}},
              .body = found->second.first};
    }
    return missing("NAME_UNKNOWN");
  }

 private:
  static Reply missing(const std::string& code) {
    return {.status = 404, .body = R"({"errors":[{"code":")" + code + R"(","message":"not known here"}]})"};
  }
  static Reply ranged(const Asked& asked, const std::string& data) {
    auto range = asked.headers.find("range");
    if (range == asked.headers.end()) return {.body = data};
    std::uint64_t from = 0, to = data.size() - 1;
    std::sscanf(range->second.c_str(), "bytes=%lu-%lu", &from, &to);
    to = std::min<std::uint64_t>(to, data.size() - 1);
    return {.status = 206,
            .headers = {{"Content-Range", "bytes " + std::to_string(from) + "-" + std::to_string(to) + "/" +
                                              std::to_string(data.size())}},
            .body = data.substr(from, to - from + 1)};
  }

  bool readable(int fd) const {
    while (!ending_) {
      pollfd entry{fd, POLLIN, 0};
      if (::poll(&entry, 1, 20) > 0) return true;
    }
    return false;
  }
  void accept() {
    while (readable(listener_.get())) {
      int raw = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (raw >= 0) threads_.emplace_back([this, raw] { talk(Fd(raw)); });
    }
  }
  void talk(Fd fd) {
    std::string text;
    auto read_more = [&] {
      char buffer[65536];
      if (!readable(fd.get())) return false;
      ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
      if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
      return n > 0;
    };
    std::size_t end;
    while ((end = text.find("\r\n\r\n")) == std::string::npos)
      if (!read_more() || text.starts_with('\x16')) return;  // TLS is not spoken here
    Asked asked = parse(text.substr(0, end));
    asked.body = text.substr(end + 4);
    text.clear();
    if (auto length = asked.headers.find("content-length"); length != asked.headers.end())
      for (auto size = std::stoull(length->second); asked.body.size() < size; asked.body += std::exchange(text, {}))
        if (!read_more()) return;
    answer(fd.get(), asked);
  }
  static Asked parse(const std::string& head) {
    Asked out;
    auto line = head.substr(0, head.find("\r\n"));
    out.method = line.substr(0, line.find(' '));
    out.path = line.substr(out.method.size() + 1, line.rfind(' ') - out.method.size() - 1);
    for (std::size_t at = line.size() + 2; at < head.size();) {
      auto stop = std::min(head.find("\r\n", at), head.size());
      auto field = head.substr(at, stop - at);
      auto colon = field.find(": ");
      std::string name = field.substr(0, colon);
      for (char& c : name) c = static_cast<char>(std::tolower(c));
      if (colon != std::string::npos) out.headers[name] = field.substr(colon + 2);
      at = stop + 2;
    }
    return out;
  }
  void answer(int fd, const Asked& asked) {
    Hook hook;
    {
      std::lock_guard lock(mutex_);
      asked_.push_back(asked);
      hook = hook_;
    }
    std::optional<Reply> reply;
    if (hook) reply = hook(asked);
    if (!reply) reply = serve(asked);
    std::string text = "HTTP/1.1 " + std::to_string(reply->status) + " x\r\nConnection: close\r\n";
    for (const auto& [name, value] : reply->headers) text += name + ": " + value + "\r\n";
    text += "Content-Length: " + reply->announced.value_or(std::to_string(reply->body.size())) + "\r\n\r\n";
    if (asked.method != "HEAD") text += reply->body;
    for (std::string_view left = text; !left.empty();) {
      ssize_t n = ::send(fd, left.data(), left.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      left.remove_prefix(static_cast<std::size_t>(n));
    }
    if (reply->stall) readable(fd);
  }

  Fd listener_;
  int port_ = 0;
  std::atomic<bool> ending_ = false;
  std::mutex mutex_;
  Hook hook_;
  std::map<std::string, std::string> blobs_;
  std::map<std::string, std::pair<std::string, std::string>> manifests_;
  std::vector<Asked> asked_;
  std::thread acceptor_;
  std::vector<std::thread> threads_;
};

}  // namespace gantry::registry::test
