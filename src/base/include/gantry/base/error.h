#pragma once

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry {

/// What kind of failure this is. Mapped to an HTTP status and a CLI exit code in exactly one place each
/// (`http_status` and `exit_code` below).
enum class ErrorKind {
  invalid,          ///< the request or a file is wrong; the user must change it
  not_found,        ///< the named object does not exist
  conflict,         ///< the object's state, or another object, forbids this now
  denied,           ///< known caller, not allowed
  unauthenticated,  ///< unknown caller
  unsupported,      ///< valid, but Gantry does not do this (yet)
  unavailable,      ///< a needed part (daemon, kernel feature, peer) is not there now; trying again may help
  exhausted,        ///< disk, memory, addresses or another budget used up
  timeout,          ///< a deadline passed
  cancelled,        ///< the caller went away or asked to stop
  internal,         ///< a defect in Gantry, or a system call failed unexpectedly
};

std::string_view to_string(ErrorKind kind);
std::optional<ErrorKind> error_kind_from(std::string_view name);
int http_status(ErrorKind kind);
ErrorKind error_kind_from_http(int status);
int exit_code(ErrorKind kind);

/// A place in a file the user wrote. Lines and columns count from 1; 0 means unknown.
struct SourcePlace {
  std::string file;
  int line = 0;
  int column = 0;
};

/// One thing that is wrong in a user's file; an Error may carry many, so that all are shown at once.
struct Finding {
  SourcePlace place;
  std::string message;
};

/// The one exception type. `message` says what failed, on which object, and why: lower case, no full stop.
/// `fix` says what to do, where that is known. Context is added on the way up, outermost first.
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message, std::string fix = {});
  /// An invalid file: `message` summarises, `findings` lists every mistake with its place.
  Error(ErrorKind kind, std::string message, std::vector<Finding> findings, std::string fix = {});

  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }
  const std::string& fix() const { return fix_; }
  const std::vector<Finding>& findings() const { return findings_; }

  /// Puts `context: ` in front of the message. Returns *this, so that a handler can `throw e.within(...)`.
  Error& within(std::string_view context);

  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorKind kind_;
  std::string message_;
  std::string fix_;
  std::vector<Finding> findings_;
};

/// An Error from `errno`-style `code`: "open /x/y: no such file or directory". ENOENT maps to not_found, EEXIST and
/// EBUSY to conflict, ENOSPC, EDQUOT, ENOMEM, EMFILE and ENFILE to exhausted, EACCES and EPERM to denied, else
/// internal.
Error system_error(int code, std::string_view what);
/// Throws system_error(errno, what).
[[noreturn]] void throw_errno(std::string_view what);

}  // namespace gantry
