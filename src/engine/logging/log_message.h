#pragma once

#include <string>
#include <vector>

#include "gantry/runtime/log_file.h"
#include "logging/log_driver.h"

/// Records of a log as receivers want them. Pure.
namespace gantry::engine {

/// What is to be sent for one record, in pieces: each one datagram, or one after the other on a stream. `id` tells the
/// datagrams of one message from those of others (gelf).
std::vector<std::string> log_messages(const LogTarget& target, const LogOrigin& origin, const runtime::LogEntry& entry,
                                      std::uint64_t id);

/// RFC 3164 and RFC 5424; `pid` is the sender's.
std::string syslog_message(const LogTarget& target, const LogOrigin& origin, const runtime::LogEntry& entry, int pid);
/// GELF 1.1: a JSON object.
std::string gelf_message(const LogOrigin& origin, const runtime::LogEntry& entry);
/// Fluentd's forward protocol, message mode: [tag, time, record] as MessagePack; with an option that asks for a
/// confirmation where the target wants one.
std::string fluentd_message(const LogTarget& target, const LogOrigin& origin, const runtime::LogEntry& entry,
                            std::uint64_t id);
/// What the receiver answers to the message of this `id`.
std::string fluentd_confirmation(std::uint64_t id);
/// A gzip file.
std::string gzipped(const std::string& text);

}  // namespace gantry::engine
