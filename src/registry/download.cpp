#include "download.h"

#include <fcntl.h>
#include <unistd.h>

#include "answers.h"
#include "gantry/base/fd.h"
#include "remote.h"
#include "transport.h"

namespace gantry::registry {
namespace {

constexpr int kMostRedirects = 10;

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// One attempt: the last answer of a chain of redirects, its content in the file when it is a good one.
HttpAnswer attempt(Transport& transport, Url url, int fd, const std::string& what) {
  for (int redirects = 0;; ++redirects) {
    if (::ftruncate(fd, 0) < 0 || ::lseek(fd, 0, SEEK_SET) < 0) throw_errno(what);
    HttpRequest request;
    request.url = url;
    request.plain_allowed = true;  // as the user wrote it; what counts is checked by digest
    request.sink = [&](std::string_view piece) { write_all(fd, piece, what); };
    auto answer = transport.exchange(request);
    const auto* location = answer.headers.find("Location");
    if (!is_redirect(answer.status) || location == nullptr) return answer;
    if (redirects == kMostRedirects) throw Error(ErrorKind::invalid, what + ": redirects without end");
    auto next = url.resolve(*location);
    if (url.scheme == "https" && next.scheme == "http")
      throw Error(ErrorKind::denied, what + ": redirects from https to plain http at " + next.authority);
    url = std::move(next);
  }
}

}  // namespace

void download(const Options& options, const std::string& url, const std::filesystem::path& into, StopFlag& stop) {
  auto what = "download of " + printable(url, 200);
  auto parsed = Url::parse(url);
  Fd fd = open_file(into.string(), O_WRONLY | O_CREAT | O_EXCL, 0600);
  Transport transport(options, stop);
  Retries retries(options, stop);
  for (;;) {
    try {
      auto answer = attempt(transport, parsed, fd.get(), what);
      if (answer.status == 200) return;
      Error refused(answer.status == 404 ? ErrorKind::not_found : ErrorKind::unavailable,
                    what + ": " + parsed.authority + " answers " + std::to_string(answer.status), "check the address");
      if (!is_temporary(answer.status)) throw refused;
      retries.after(refused, retry_after(answer));
    } catch (const TransportError& error) {
      if (!error.temporary()) throw Error(error);
      retries.after(error);
    }
  }
}

}  // namespace gantry::registry
