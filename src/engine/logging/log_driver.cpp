#include "logging/log_driver.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <regex>
#include <sstream>

#include "gantry/base/error.h"
#include "gantry/base/ids.h"

namespace gantry::engine {
namespace {

struct Driver {
  std::string_view name;
  LogDriver driver;
  std::vector<std::string_view> options;
};

// What every driver has. `mode` and `max-buffer-size` change nothing: no driver here holds a container up, and what
// waits is kept in its files. Nor does `compress`: files are bounded by max-size and max-file as they are.
constexpr std::array<std::string_view, 8> kCommon{"labels", "labels-regex",    "env",     "env-regex", "tag",
                                                  "mode",   "max-buffer-size", "compress"};

// How often and how long a receiver is tried, and what is kept for it meanwhile, is the same for all drivers here.
const std::array<Driver, 6>& drivers() {
  static const std::array<Driver, 6> all{
      Driver{"json-file", LogDriver::file, {}},
      Driver{"local", LogDriver::file, {}},
      Driver{"none", LogDriver::none, {}},
      Driver{"syslog",
             LogDriver::syslog,
             {"syslog-address", "syslog-facility", "syslog-format", "syslog-tls-ca-cert", "syslog-tls-cert",
              "syslog-tls-key", "syslog-tls-skip-verify"}},
      Driver{"gelf",
             LogDriver::gelf,
             {"gelf-address", "gelf-compression-type", "gelf-compression-level", "gelf-tcp-max-reconnect",
              "gelf-tcp-reconnect-delay"}},
      Driver{"fluentd",
             LogDriver::fluentd,
             {"fluentd-address", "fluentd-async", "fluentd-async-connect", "fluentd-sub-second-precision",
              "fluentd-buffer-limit", "fluentd-retry-wait", "fluentd-max-retries", "fluentd-async-reconnect-interval",
              "fluentd-write-timeout", "fluentd-request-ack"}}};
  return all;
}

bool is_known(const Driver& driver, const std::string& name) {
  return std::ranges::find(kCommon, name) != kCommon.end() ||
         std::ranges::find(driver.options, name) != driver.options.end();
}

const Driver& find_driver(const std::string& name) {
  for (const auto& driver : drivers())
    if (driver.name == name) return driver;
  throw Error(ErrorKind::unsupported, "log driver '" + name + "' is not there",
              "use json-file, local, none, syslog, gelf or fluentd");
}

std::string option(const LogOptions& options, const std::string& name, const std::string& otherwise = {}) {
  auto found = options.options.find(name);
  return found == options.options.end() ? otherwise : found->second;
}

bool yes(const LogOptions& options, const std::string& name) {
  auto text = option(options, name, "false");
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  throw Error(ErrorKind::invalid, "log option " + name + ": '" + text + "' is neither true nor false");
}

[[noreturn]] void bad_address(const std::string& name, const std::string& text, const std::string& fix) {
  throw Error(ErrorKind::invalid, "log option " + name + ": '" + text + "' is no address", fix);
}

// "udp://host:port", "tcp://[::1]:5140", "unix:///path", "unixgram:///path"; with `bare` also "host:port" and "host".
LogAddress parse_address(const std::string& name, std::string text, const std::string& port, bool bare) {
  static constexpr std::array<std::pair<std::string_view, LogAddress::Kind>, 6> kSchemes{
      {{"udp://", LogAddress::Kind::udp},
       {"tcp://", LogAddress::Kind::tcp},
       {"tcp+tls://", LogAddress::Kind::tls},
       {"tls://", LogAddress::Kind::tls},
       {"unix://", LogAddress::Kind::stream},
       {"unixgram://", LogAddress::Kind::datagram}}};
  constexpr char kFix[] = "write it as udp://host:port, tcp://host:port, tcp+tls://host:port or unix:///path";
  LogAddress out;
  out.kind = LogAddress::Kind::tcp;
  auto whole = text;
  auto scheme = std::ranges::find_if(kSchemes, [&](const auto& known) { return text.starts_with(known.first); });
  if (scheme != kSchemes.end()) {
    out.kind = scheme->second;
    text.erase(0, scheme->first.size());
  } else if (!bare || text.find("://") != std::string::npos) {
    bad_address(name, whole, kFix);
  }
  if (out.kind == LogAddress::Kind::stream || out.kind == LogAddress::Kind::datagram) {
    if (!text.starts_with('/')) bad_address(name, whole, kFix);
    out.host = text;
    return out;
  }
  auto colon = text.rfind(':');
  bool inside = colon != std::string::npos && text.find(']', colon) != std::string::npos;
  if (inside) colon = std::string::npos;
  out.host = text.substr(0, colon);
  out.port = colon == std::string::npos ? port : text.substr(colon + 1);
  if (out.host.starts_with('[') && out.host.ends_with(']')) out.host = out.host.substr(1, out.host.size() - 2);
  bool number = !out.port.empty() && out.port.find_first_not_of("0123456789") == std::string::npos;
  if (out.host.empty() || !number || out.port.size() > 5) bad_address(name, whole, kFix);
  return out;
}

// RFC 5424, table 1, by the names of syslog.conf(5).
int parse_facility(const std::string& text) {
  static constexpr std::array<std::string_view, 24> kNames{
      "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
      "uucp",   "cron",   "authpriv", "ftp",    "",       "",       "",       "",
      "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (!kNames.at(i).empty() && (kNames.at(i) == text || std::to_string(i) == text)) return static_cast<int>(i);
  throw Error(ErrorKind::invalid, "log option syslog-facility: '" + text + "' is none", "use daemon, user, local0 ...");
}

SyslogFormat parse_format(const std::string& text) {
  if (text.empty()) return SyslogFormat::unix_;
  if (text == "rfc3164") return SyslogFormat::rfc3164;
  if (text == "rfc5424") return SyslogFormat::rfc5424;
  if (text == "rfc5424micro") return SyslogFormat::rfc5424micro;
  throw Error(ErrorKind::invalid, "log option syslog-format: '" + text + "' is none",
              "use rfc3164, rfc5424 or rfc5424micro");
}

std::string pem_file(const LogOptions& options, const std::string& name) {
  auto path = option(options, name);
  if (!path.empty() && !path.starts_with('/'))
    throw Error(ErrorKind::invalid, "log option " + name + ": '" + path + "' is no absolute path",
                "give the path of a PEM file on the host");
  return path;
}

void set_syslog(const LogOptions& options, LogTarget* out) {
  out->address =
      parse_address("syslog-address", option(options, "syslog-address", "unixgram:///dev/log"), "514", false);
  out->facility = parse_facility(option(options, "syslog-facility", "daemon"));
  out->format = parse_format(option(options, "syslog-format"));
  out->tls.authorities = pem_file(options, "syslog-tls-ca-cert");
  out->tls.certificate = pem_file(options, "syslog-tls-cert");
  out->tls.key = pem_file(options, "syslog-tls-key");
  out->tls.skip_verify = yes(options, "syslog-tls-skip-verify");
  if (out->tls.certificate.empty() != out->tls.key.empty())
    throw Error(ErrorKind::invalid, "log options syslog-tls-cert and syslog-tls-key belong together", "give both");
}

void set_gelf(const LogOptions& options, LogTarget* out) {
  auto text = option(options, "gelf-address");
  if (text.empty())
    throw Error(ErrorKind::invalid, "log driver gelf: option gelf-address is missing", "write it as udp://host:12201");
  out->address = parse_address("gelf-address", text, "12201", false);
  bool network = out->address.kind == LogAddress::Kind::udp || out->address.kind == LogAddress::Kind::tcp;
  if (!network) bad_address("gelf-address", text, "write it as udp://host:12201 or tcp://host:12201");
  auto compression = option(options, "gelf-compression-type", "gzip");
  if (compression != "gzip" && compression != "none")
    throw Error(ErrorKind::unsupported, "log option gelf-compression-type: '" + compression + "' is not there",
                "use gzip or none");
  out->compressed = out->address.kind == LogAddress::Kind::udp && compression == "gzip";
}

void set_fluentd(const LogOptions& options, LogTarget* out) {
  auto text = option(options, "fluentd-address", "127.0.0.1:24224");
  out->address = parse_address("fluentd-address", text, "24224", true);
  if (out->address.is_datagram())
    bad_address("fluentd-address", text, "write it as host:24224, tls://host:24224 or unix:///path");
  out->sub_second = yes(options, "fluentd-sub-second-precision");
  out->confirmed = yes(options, "fluentd-request-ack");
  for (const char* name : {"fluentd-async", "fluentd-async-connect"}) yes(options, name);  // always so
}

// nullopt when it is not asked for.
std::optional<std::regex> pattern(const LogOptions& options, const std::string& name) {
  auto text = option(options, name);
  if (text.empty()) return std::nullopt;
  try {
    return std::regex(text, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error&) {
    throw Error(ErrorKind::invalid, "log option " + name + ": '" + text + "' is no regular expression");
  }
}

std::vector<std::string> listed(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');)
    if (!word.empty()) out.push_back(word);
  return out;
}

}  // namespace

LogTarget log_target(const LogOptions& options) {
  const auto& driver = find_driver(options.driver);
  for (const auto& [name, value] : options.options)
    if (!is_known(driver, name))
      throw Error(ErrorKind::invalid, fmt::format("log driver {}: there is no option '{}'", options.driver, name),
                  fmt::format("it has max-size, max-file, {}{}{}", fmt::join(kCommon, ", "),
                              driver.options.empty() ? "" : ", ", fmt::join(driver.options, ", ")));
  yes(options, "compress");
  for (const char* name : {"labels-regex", "env-regex"}) pattern(options, name);
  LogTarget out;
  out.driver = driver.driver;
  out.tag = option(options, "tag", "{{.ID}}");
  if (driver.driver == LogDriver::syslog) set_syslog(options, &out);
  if (driver.driver == LogDriver::gelf) set_gelf(options, &out);
  if (driver.driver == LogDriver::fluentd) set_fluentd(options, &out);
  fill_tag(out.tag, {});
  return out;
}

bool keeps_logs(const LogOptions& options) { return options.driver != "none"; }
bool sends_logs(const LogOptions& options) {
  return options.driver == "syslog" || options.driver == "gelf" || options.driver == "fluentd";
}

void require_readable(const LogOptions& options) {
  if (!keeps_logs(options))
    throw Error(ErrorKind::unsupported, "configured logging driver does not support reading",
                "create the container with another log driver");
}

std::string fill_tag(const std::string& text, const LogOrigin& origin) {
  const std::array<std::pair<std::string_view, std::string>, 7> values{{{".ID", origin.id.substr(0, 12)},
                                                                        {".FullID", origin.id},
                                                                        {".Name", origin.name},
                                                                        {".ImageName", origin.image},
                                                                        {".ImageID", origin.image_id.substr(0, 12)},
                                                                        {".ImageFullID", origin.image_id},
                                                                        {".DaemonName", "gantry"}}};
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    auto open = text.find("{{", at);
    out += text.substr(at, open - at);
    if (open == std::string::npos) break;
    auto close = text.find("}}", open);
    auto name = close == std::string::npos ? std::string() : text.substr(open + 2, close - open - 2);
    name.erase(0, name.find_first_not_of(' '));
    while (name.ends_with(' ')) name.pop_back();
    auto known = std::ranges::find_if(values, [&](const auto& value) { return value.first == name; });
    if (known == values.end())
      throw Error(
          ErrorKind::invalid, "log option tag: '" + text + "' cannot be filled in",
          "use {{.ID}}, {{.FullID}}, {{.Name}}, {{.ImageName}}, {{.ImageID}}, {{.ImageFullID}}, {{.DaemonName}}");
    out += known->second;
    at = close + 2;
  }
  return out;
}

std::map<std::string, std::string> log_details(const ContainerInfo& info, const std::vector<std::string>& environment) {
  std::map<std::string, std::string> out;
  for (const auto& name : listed(option(info.spec.log, "labels")))
    if (auto label = info.spec.labels.find(name); label != info.spec.labels.end()) out[name] = label->second;
  for (const auto& name : listed(option(info.spec.log, "env")))
    for (const auto& entry : environment)
      if (entry.starts_with(name + "=")) out[name] = entry.substr(name.size() + 1);
  if (auto wanted = pattern(info.spec.log, "labels-regex"))
    for (const auto& [name, value] : info.spec.labels)
      if (std::regex_search(name, *wanted)) out[name] = value;
  if (auto wanted = pattern(info.spec.log, "env-regex"))
    for (const auto& entry : environment) {
      auto name = entry.substr(0, entry.find('='));
      if (name.size() < entry.size() && std::regex_search(name, *wanted)) out[name] = entry.substr(name.size() + 1);
    }
  return out;
}

LogOrigin log_origin(const ContainerInfo& info, const std::vector<std::string>& environment, const std::string& host) {
  LogOrigin out;
  out.id = info.id.str();
  out.name = info.spec.name;
  out.image = info.spec.image;
  out.image_id = info.image_id;
  out.command = fmt::format("{}", fmt::join(info.argv, " "));
  out.host = host;
  out.created = info.created;
  out.extra = log_details(info, environment);
  out.tag = fill_tag(option(info.spec.log, "tag", "{{.ID}}"), out);
  return out;
}

}  // namespace gantry::engine
