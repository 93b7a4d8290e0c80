#pragma once

#include <map>
#include <optional>
#include <string>

#include "gantry/engine/types.h"

/// Log drivers and their options, by Docker's names. Pure.
namespace gantry::engine {

enum class LogDriver { file, none, syslog, gelf, fluentd };

/// Where a driver sends to.
struct LogAddress {
  enum class Kind { udp, tcp, tls, stream, datagram };  ///< the last two: unix sockets
  Kind kind = Kind::udp;
  std::string host;  ///< or a unix socket's path
  std::string port;

  /// Each piece arrives whole or not at all, and nobody says which.
  bool is_datagram() const { return kind == Kind::udp || kind == Kind::datagram; }
};

/// How a receiver is known, and how this host shows itself to it: absolute paths of PEM files.
struct LogTls {
  std::string authorities;  ///< empty: those of the host
  std::string certificate, key;
  bool skip_verify = false;

  bool operator==(const LogTls&) const = default;
};

enum class SyslogFormat { unix_, rfc3164, rfc5424, rfc5424micro };

/// Options of the drivers that send, understood.
struct LogTarget {
  LogDriver driver = LogDriver::file;
  LogAddress address;
  LogTls tls;
  std::string tag;  ///< a template: "{{.Name}}"
  int facility = 3;
  SyslogFormat format = SyslogFormat::unix_;
  bool compressed = false;  ///< gelf over udp
  bool sub_second = false;  ///< fluentd
  bool confirmed = false;   ///< fluentd: each record counts as sent when the receiver says that it has it
};

/// Error invalid or unsupported: names the option and says what there is.
LogTarget log_target(const LogOptions& options);
/// Docker's words when nothing is kept: Error unsupported.
void require_readable(const LogOptions& options);
bool keeps_logs(const LogOptions& options);
bool sends_logs(const LogOptions& options);

/// What a template can name.
struct LogOrigin {
  std::string id, name, image, image_id, command, host;
  Timestamp created{};
  std::map<std::string, std::string> extra;  ///< labels and variables that were asked for
  std::string tag;                           ///< the template filled in
};
/// Error invalid: the template names something that is not there.
std::string fill_tag(const std::string& text, const LogOrigin& origin);
/// The labels and variables that the log options name.
std::map<std::string, std::string> log_details(const ContainerInfo& info, const std::vector<std::string>& environment);
LogOrigin log_origin(const ContainerInfo& info, const std::vector<std::string>& environment, const std::string& host);

}  // namespace gantry::engine
