#include "transport.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "curl_library.h"
#include "gantry/base/files.h"

#undef curl_easy_setopt
#undef curl_easy_getinfo

namespace gantry::registry {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::string_view kSystemAuthorities = "/etc/ssl/certs";
constexpr long kReceiveBuffer = 256l << 10;

template <class T>
void set(void* handle, CURLoption option, T value) {
  curl().easy_setopt(handle, option, value);
}

class HeaderList {
 public:
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { curl().slist_free_all(list_); }
  void add(const std::string& line) { list_ = curl().slist_append(list_, line.c_str()); }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

// What an administrator put down for this registry.
struct Certificates {
  std::string authorities;  ///< PEM, concatenated
  std::string own, key;     ///< paths
};

Certificates certificates_in(const fs::path& directory) {
  Certificates out;
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) files.insert(entry.path());
  for (const auto& file : files) {
    if (file.extension() == ".crt") out.authorities += read_file(file) + "\n";
    if (file.extension() != ".cert") continue;
    auto key = fs::path(file).replace_extension(".key");
    if (!fs::exists(key))
      throw Error(ErrorKind::invalid, "certificate " + file.string() + " has no key", "put it at " + key.string());
    out.own = file.string();
    out.key = key.string();
  }
  return out;
}

Certificates certificates_for(const std::vector<fs::path>& directories, const std::string& authority) {
  for (const auto& directory : directories) {
    std::error_code failed;
    if (authority.find('/') == std::string::npos && fs::is_directory(directory / authority, failed))
      return certificates_in(directory / authority);
  }
  return {};
}

}  // namespace

struct Transport::Transfer {
  Transfer(const HttpRequest& request_in, StopFlag& stop_in, const Options& options)
      : request(request_in), stop(stop_in), stall(options.stall_timeout) {}

  const HttpRequest& request;
  StopFlag& stop;
  std::chrono::milliseconds stall;
  HeaderList headers;
  Certificates certificates;
  std::string url;
  HttpAnswer answer;
  std::exception_ptr failure;  ///< thrown by a callback while libcurl, which is C, was on the stack
  Clock::time_point active = Clock::now();
  curl_off_t moved = 0;
  bool begun = false;
  bool stalled = false;
  std::array<char, CURL_ERROR_SIZE> reason{};

  bool streams() const { return request.sink && (answer.status == 200 || answer.status == 206); }

  void take_header(std::string_view line) {
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
    if (line.starts_with("HTTP/")) {
      auto space = line.find(' ');
      answer.status = space == std::string_view::npos ? 0 : std::atoi(std::string(line.substr(space + 1)).c_str());
      answer.headers = {};
      return;
    }
    auto colon = line.find(':');
    if (colon == std::string_view::npos) return;
    auto value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    answer.headers.add(std::string(line.substr(0, colon)), std::string(value));
  }

  void take_body(std::string_view data) {
    if (!begun && request.accept) request.accept(answer.status, answer.headers);
    begun = true;
    if (streams()) {
      request.sink(data);
    } else {
      if (answer.body.size() + data.size() > request.limit)
        throw Error(ErrorKind::invalid, "the answer is longer than " + std::to_string(request.limit) + " bytes");
      answer.body += data;
    }
    active = Clock::now();  // what the sink took is no stall of the other side
  }

  template <class F>
  std::size_t guarded(std::size_t good, F function) noexcept {
    try {
      function();
      return good;
    } catch (...) {
      failure = std::current_exception();
      return good == 0 ? 1 : 0;
    }
  }

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.guarded(size * count, [&] { transfer.take_header({data, size * count}); });
  }
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (size * count == 0) return 0;
    return transfer.guarded(size * count, [&] { transfer.take_body({data, size * count}); });
  }
  static std::size_t on_upload(char* buffer, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    std::size_t given = 0;
    auto fill = [&] { given = transfer.request.upload(buffer, size * count); };
    if (transfer.guarded(1, fill) != 1) return CURL_READFUNC_ABORT;
    transfer.active = Clock::now();
    return given;
  }
  static int on_progress(void* self, curl_off_t, curl_off_t down, curl_off_t, curl_off_t up) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (transfer.stop.is_set()) return 1;
    if (std::exchange(transfer.moved, down + up) != down + up) transfer.active = Clock::now();
    transfer.stalled = Clock::now() - transfer.active > transfer.stall;
    return transfer.stalled ? 1 : 0;
  }
};

namespace {

[[noreturn]] void fail(CURLcode code, const Url& url, const char* reason, bool stalled) {
  using Cause = TransportError::Cause;
  std::string why = reason[0] != '\0' ? reason : curl().easy_strerror(code);
  auto error = [&](ErrorKind kind, const std::string& message, const std::string& fix) {
    return Error(kind, url.origin() + ": " + message, fix);
  };
  if (stalled)
    throw TransportError(error(ErrorKind::timeout, "nothing has come for too long", "try again"), Cause::lost);
  auto certificates = "/etc/gantry/certs.d/" + url.authority;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      throw TransportError(error(ErrorKind::unavailable, "the name cannot be resolved",
                                 "check the name, this machine's DNS and https_proxy"),
                           Cause::unreachable);
    case CURLE_COULDNT_CONNECT:
      throw TransportError(error(ErrorKind::unavailable, "cannot connect: " + why,
                                 "check that the registry runs and that this machine may reach it"),
                           Cause::unreachable);
    case CURLE_OPERATION_TIMEDOUT:
      throw TransportError(error(ErrorKind::timeout, why, "check that this machine may reach the registry"),
                           Cause::unreachable);
    case CURLE_PEER_FAILED_VERIFICATION:
      throw TransportError(error(ErrorKind::denied, "its certificate is not trusted: " + why,
                                 "put the certificate of its authority at " + certificates + "/ca.crt"),
                           Cause::wrong);
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      throw TransportError(error(ErrorKind::invalid, why, "check the files in " + certificates), Cause::wrong);
    case CURLE_SSL_CONNECT_ERROR:
      throw TransportError(error(ErrorKind::unavailable, "no TLS: " + why, "check that the registry speaks https"),
                           Cause::not_tls);
    default:
      throw TransportError(error(ErrorKind::unavailable, "the connection was lost: " + why, "try again"), Cause::lost);
  }
}

}  // namespace

Transport::~Transport() {
  for (void* handle : idle_) curl().easy_cleanup(handle);
}

void* Transport::take() {
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      void* handle = idle_.back();
      idle_.pop_back();
      return handle;
    }
  }
  void* handle = curl().easy_init();
  if (handle == nullptr) throw Error(ErrorKind::exhausted, "no memory for a connection");
  return handle;
}

void Transport::give_back(void* handle) {
  curl().easy_reset(handle);  // keeps the connections
  std::lock_guard lock(mutex_);
  idle_.push_back(handle);
}

void Transport::configure(void* handle, Transfer& transfer) {
  const auto& request = transfer.request;
  transfer.url = request.url.str();
  set(handle, CURLOPT_URL, transfer.url.c_str());
  set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  set(handle, CURLOPT_PATH_AS_IS, 1L);
  set(handle, CURLOPT_FOLLOWLOCATION, 0L);
  set(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_USERAGENT, "gantry");
  set(handle, CURLOPT_BUFFERSIZE, kReceiveBuffer);
  set(handle, CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(request.connect_timeout.value_or(options_.connect_timeout).count()));
  set(handle, CURLOPT_ERRORBUFFER, transfer.reason.data());
  if (request.url.is_loopback()) set(handle, CURLOPT_NOPROXY, "*");

  set(handle, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(handle, CURLOPT_HEADERDATA, &transfer);
  set(handle, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(handle, CURLOPT_WRITEDATA, &transfer);
  set(handle, CURLOPT_NOPROGRESS, 0L);
  set(handle, CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
  set(handle, CURLOPT_XFERINFODATA, &transfer);
  // Headers of a proxy's CONNECT are none of the answer.
  set(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);

  transfer.certificates = certificates_for(options_.certificate_dirs, request.url.authority);
  const auto& certificates = transfer.certificates;
  if (!certificates.authorities.empty()) {
    // The file of the system's authorities gives way to ours, its directory stays.
    curl_blob blob{const_cast<char*>(certificates.authorities.data()), certificates.authorities.size(), CURL_BLOB_COPY};
    set(handle, CURLOPT_CAINFO_BLOB, &blob);
    set(handle, CURLOPT_CAPATH, kSystemAuthorities.data());
  }
  if (!certificates.own.empty()) {
    set(handle, CURLOPT_SSLCERT, certificates.own.c_str());
    set(handle, CURLOPT_SSLKEY, certificates.key.c_str());
  }

  bool sends = request.upload || !request.body.empty() || request.method == "POST" || request.method == "PUT";
  if (request.upload) {
    set(handle, CURLOPT_UPLOAD, 1L);
    set(handle, CURLOPT_READFUNCTION, &Transfer::on_upload);
    set(handle, CURLOPT_READDATA, &transfer);
    set(handle, CURLOPT_UPLOAD_BUFFERSIZE, kReceiveBuffer);
    if (request.upload_size)
      set(handle, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(*request.upload_size));
    else
      transfer.headers.add("Transfer-Encoding: chunked");
  } else if (sends) {
    set(handle, CURLOPT_POST, 1L);
    set(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(handle, CURLOPT_POSTFIELDS, request.body.data());
  }
  if (request.method == "HEAD")
    set(handle, CURLOPT_NOBODY, 1L);
  else
    set(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  for (const auto& [name, value] : request.headers) transfer.headers.add(name + ": " + value);
  if (sends) transfer.headers.add("Expect:");
  set(handle, CURLOPT_HTTPHEADER, transfer.headers.get());
}

HttpAnswer Transport::exchange(const HttpRequest& request) {
  stop_.check();
  if (request.url.scheme == "http" && !request.plain_allowed && !request.url.is_loopback())
    throw Error(ErrorKind::denied, "plain http to " + request.url.authority + " is refused: anyone could change it",
                "use https; plain http is for registries on this machine only");
  void* handle = take();
  Transfer transfer(request, stop_, options_);
  CURLcode code = CURLE_OK;
  try {
    configure(handle, transfer);
    code = curl().easy_perform(handle);
  } catch (...) {
    give_back(handle);
    throw;
  }
  give_back(handle);
  if (transfer.failure) std::rethrow_exception(transfer.failure);
  stop_.check();
  if (code != CURLE_OK) fail(code, request.url, transfer.reason.data(), transfer.stalled);
  if (!transfer.begun && request.accept) request.accept(transfer.answer.status, transfer.answer.headers);
  return std::move(transfer.answer);
}

}  // namespace gantry::registry
