#include "logging/log_message.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/beast/zlib/deflate_stream.hpp>
#include <boost/crc.hpp>
#include <boost/json.hpp>

#include <algorithm>
#include <ctime>

#include "gantry/base/base64.h"
#include "gantry/base/error.h"

namespace gantry::engine {
namespace {

constexpr int kError = 3, kInformational = 6;  // RFC 5424, table 2
constexpr std::size_t kDatagram = 1420;        // fits into a frame of every network
constexpr std::size_t kMostChunks = 128;

bool is_error(const runtime::LogEntry& entry) { return entry.stream == StdStream::err; }
const char* source_of(const runtime::LogEntry& entry) { return is_error(entry) ? "stderr" : "stdout"; }

std::string text_of(const runtime::LogEntry& entry) {
  auto text = entry.data;
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

// JSON and most receivers want UTF-8: what is none becomes the replacement character.
std::string as_utf8(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    auto lead = static_cast<unsigned char>(text[i]);
    std::size_t length = lead < 0x80                   ? 1
                         : lead >= 0xc2 && lead < 0xe0 ? 2
                         : lead >= 0xe0 && lead < 0xf0 ? 3
                         : lead >= 0xf0 && lead < 0xf5 ? 4
                                                       : 0;
    bool whole = length > 0 && i + length <= text.size();
    for (std::size_t k = 1; whole && k < length; ++k) whole = (static_cast<unsigned char>(text[i + k]) & 0xc0) == 0x80;
    if (whole) {
      out.append(text, i, length);
      i += length;
    } else {
      out += "\xef\xbf\xbd";
      ++i;
    }
  }
  return out;
}

std::string calendar(Timestamp time, const char* format) {
  auto seconds =
      std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(time));
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof text, format, &parts)};
}

std::string precise(Timestamp time, bool micros) {
  auto rest = time.time_since_epoch().count() % 1'000'000'000;
  auto text = calendar(time, "%Y-%m-%dT%H:%M:%S");
  return micros ? fmt::format("{}.{:06}Z", text, rest / 1000) : text + "Z";
}

std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

// https://github.com/msgpack/msgpack/blob/master/spec.md
std::string packed(const std::string& text) {
  if (text.size() < 32) return static_cast<char>(0xa0 | text.size()) + text;
  if (text.size() < 256) return "\xd9" + big_endian(text.size(), 1) + text;
  if (text.size() < 65536) return "\xda" + big_endian(text.size(), 2) + text;
  return "\xdb" + big_endian(text.size(), 4) + text;
}

// The forward protocol wants the base64 of 128 bits.
std::string chunk_of(std::uint64_t id) { return encode_base64(big_endian(0, 8) + big_endian(id, 8)); }

std::vector<std::string> chunked(const std::string& message, std::uint64_t id) {
  constexpr std::size_t kHeader = 12;
  if (message.size() <= kDatagram) return {message};
  auto piece = kDatagram - kHeader;
  auto count = (message.size() + piece - 1) / piece;
  if (count > kMostChunks) {  // longer than GELF allows: the datagram may be larger than a frame
    piece = (message.size() + kMostChunks - 1) / kMostChunks;
    count = (message.size() + piece - 1) / piece;
  }
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back(std::string("\x1e\x0f", 2) + big_endian(id, 8) + big_endian(i, 1) + big_endian(count, 1) +
                  message.substr(i * piece, piece));
  return out;
}

}  // namespace

std::string syslog_message(const LogTarget& target, const LogOrigin& origin, const runtime::LogEntry& entry, int pid) {
  int priority = target.facility * 8 + (is_error(entry) ? kError : kInformational);
  auto text = text_of(entry);
  switch (target.format) {
    case SyslogFormat::unix_:
      return fmt::format("<{}>{} {}[{}]: {}", priority, calendar(entry.time, "%b %e %H:%M:%S"), origin.tag, pid, text);
    case SyslogFormat::rfc3164:
      return fmt::format("<{}>{} {} {}[{}]: {}", priority, calendar(entry.time, "%b %e %H:%M:%S"), origin.host,
                         origin.tag, pid, text);
    case SyslogFormat::rfc5424:
    case SyslogFormat::rfc5424micro:
      break;
  }
  bool micros = target.format == SyslogFormat::rfc5424micro;
  return fmt::format("<{}>1 {} {} {} {} {} - {}", priority, precise(entry.time, micros), origin.host, origin.tag, pid,
                     origin.tag, text);
}

std::string gelf_message(const LogOrigin& origin, const runtime::LogEntry& entry) {
  boost::json::object out;
  out["version"] = "1.1";
  out["host"] = origin.host;
  out["short_message"] = as_utf8(text_of(entry));
  out["timestamp"] = static_cast<double>(entry.time.time_since_epoch().count() / 1'000'000) / 1000;
  out["level"] = is_error(entry) ? kError : kInformational;
  for (const auto& [key, value] : origin.extra) out["_" + as_utf8(key)] = as_utf8(value);
  out["_container_id"] = origin.id;
  out["_container_name"] = origin.name;
  out["_image_id"] = origin.image_id;
  out["_image_name"] = origin.image;
  out["_command"] = as_utf8(origin.command);
  out["_tag"] = as_utf8(origin.tag);
  out["_created"] = to_rfc3339(origin.created);
  return boost::json::serialize(out);
}

std::string fluentd_message(const LogTarget& target, const LogOrigin& origin, const runtime::LogEntry& entry,
                            std::uint64_t id) {
  auto nanos = static_cast<std::uint64_t>(entry.time.time_since_epoch().count());
  auto seconds = nanos / 1'000'000'000;
  std::map<std::string, std::string> record = origin.extra;
  record["container_id"] = origin.id;
  record["container_name"] = "/" + origin.name;
  record["source"] = source_of(entry);
  record["log"] = text_of(entry);
  if (entry.partial) record["partial_message"] = "true";
  std::string out = (target.confirmed ? "\x94" : "\x93") + packed(origin.tag);
  // EventTime of the forward protocol: an extension of type 0 with seconds and nanoseconds.
  out += target.sub_second ? std::string("\xd7\x00", 2) + big_endian(seconds, 4) + big_endian(nanos % 1'000'000'000, 4)
                           : "\xce" + big_endian(seconds, 4);
  out += "\xde" + big_endian(record.size(), 2);
  for (const auto& [key, value] : record) out += packed(key) + packed(value);
  if (target.confirmed) out += "\x81" + packed("chunk") + packed(chunk_of(id));
  return out;
}

std::string fluentd_confirmation(std::uint64_t id) { return "\x81" + packed("ack") + packed(chunk_of(id)); }

// RFC 1952.
std::string gzipped(const std::string& text) {
  namespace zlib = boost::beast::zlib;
  zlib::deflate_stream deflate;
  constexpr int kLevel = 6, kWindowBits = 15, kMemory = 8;  // zlib's own defaults
  deflate.reset(kLevel, kWindowBits, kMemory, zlib::Strategy::normal);
  std::string body(deflate.upper_bound(text.size()), '\0');
  zlib::z_params params;
  params.next_in = text.data();
  params.avail_in = text.size();
  params.next_out = body.data();
  params.avail_out = body.size();
  boost::system::error_code failed;
  deflate.write(params, zlib::Flush::finish, failed);
  if (failed && failed != zlib::error::end_of_stream)
    throw Error(ErrorKind::internal, "compress a log message: " + failed.message());
  body.resize(body.size() - params.avail_out);
  boost::crc_32_type sum;
  sum.process_bytes(text.data(), text.size());
  auto little = [](std::uint32_t value) {
    auto out = big_endian(value, 4);
    std::ranges::reverse(out);
    return out;
  };
  return std::string("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10) + body + little(sum.checksum()) +
         little(static_cast<std::uint32_t>(text.size()));
}

std::vector<std::string> log_messages(const LogTarget& target, const LogOrigin& origin, const runtime::LogEntry& entry,
                                      std::uint64_t id) {
  bool datagram = target.address.is_datagram();
  if (target.driver == LogDriver::fluentd) return {fluentd_message(target, origin, entry, id)};
  if (target.driver == LogDriver::gelf) {
    auto message = gelf_message(origin, entry);
    // On a stream each ends with a NUL.
    if (!datagram) return {message + std::string(1, '\0')};
    return chunked(target.compressed ? gzipped(message) : message, id);
  }
  auto message = syslog_message(target, origin, entry, ::getpid());
  if (!datagram) message += '\n';
  return {message};
}

}  // namespace gantry::engine
