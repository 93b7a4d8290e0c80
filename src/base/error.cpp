#include "gantry/base/error.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace gantry {
namespace {

struct KindRow {
  ErrorKind kind;
  std::string_view name;
  int http;
  int exit;
};

// Exit codes: 125 is what docker answers for "the engine failed"; 2 is a usage error as everywhere.
constexpr std::array kKinds{
    KindRow{ErrorKind::invalid, "invalid", 400, 2},
    KindRow{ErrorKind::not_found, "not_found", 404, 1},
    KindRow{ErrorKind::conflict, "conflict", 409, 1},
    KindRow{ErrorKind::denied, "denied", 403, 1},
    KindRow{ErrorKind::unauthenticated, "unauthenticated", 401, 1},
    KindRow{ErrorKind::unsupported, "unsupported", 501, 2},
    KindRow{ErrorKind::unavailable, "unavailable", 503, 125},
    KindRow{ErrorKind::exhausted, "exhausted", 507, 125},
    KindRow{ErrorKind::timeout, "timeout", 504, 124},
    KindRow{ErrorKind::cancelled, "cancelled", 499, 130},
    KindRow{ErrorKind::internal, "internal", 500, 125},
};

const KindRow& row(ErrorKind kind) {
  for (const auto& candidate : kKinds)
    if (candidate.kind == kind) return candidate;
  return kKinds.back();
}

ErrorKind kind_of_errno(int code) {
  switch (code) {
    case ENOENT:
    case ESRCH:
      return ErrorKind::not_found;
    case EEXIST:
    case EBUSY:
    case ENOTEMPTY:
    case EADDRINUSE:
      return ErrorKind::conflict;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return ErrorKind::exhausted;
    case EACCES:
    case EPERM:
      return ErrorKind::denied;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
      return ErrorKind::unavailable;
    case ETIMEDOUT:
      return ErrorKind::timeout;
    default:
      return ErrorKind::internal;
  }
}

std::string lower_first(std::string text) {
  // "No such file" becomes "no such file"; "RPC failed" stays.
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z'))
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

}  // namespace

std::string_view to_string(ErrorKind kind) { return row(kind).name; }

std::optional<ErrorKind> error_kind_from(std::string_view name) {
  for (const auto& candidate : kKinds)
    if (candidate.name == name) return candidate.kind;
  return std::nullopt;
}

int http_status(ErrorKind kind) { return row(kind).http; }

ErrorKind error_kind_from_http(int status) {
  for (const auto& candidate : kKinds)
    if (candidate.http == status) return candidate.kind;
  return status >= 400 && status < 500 ? ErrorKind::invalid : ErrorKind::internal;
}

int exit_code(ErrorKind kind) { return row(kind).exit; }

Error::Error(ErrorKind kind, std::string message, std::string fix)
    : kind_(kind), message_(std::move(message)), fix_(std::move(fix)) {}

Error::Error(ErrorKind kind, std::string message, std::vector<Finding> findings, std::string fix)
    : kind_(kind), message_(std::move(message)), fix_(std::move(fix)), findings_(std::move(findings)) {}

Error& Error::within(std::string_view context) {
  message_ = std::string(context) + ": " + message_;
  return *this;
}

Error system_error(int code, std::string_view what) {
  std::array<char, 256> buffer{};
  const char* text = ::strerror_r(code, buffer.data(), buffer.size());
  std::string fix;
  if (code == ENOSPC || code == EDQUOT) fix = "free disk space, for example with 'gantry image rm', then try again";
  return Error(kind_of_errno(code), std::string(what) + ": " + lower_first(text), std::move(fix));
}

void throw_errno(std::string_view what) { throw system_error(errno, what); }

}  // namespace gantry
