#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "gantry/base/error.h"
#include "logging/log_driver.h"
#include "logging/log_message.h"

namespace gantry::engine {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

LogOptions options(std::string driver, std::map<std::string, std::string> own = {}) {
  LogOptions out;
  out.driver = std::move(driver);
  out.options = std::move(own);
  return out;
}

ErrorKind refused(const LogOptions& what) {
  try {
    log_target(what);
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << what.driver << " was not refused";
  return ErrorKind::internal;
}

LogOrigin origin() {
  ContainerInfo info;
  info.id = ContainerId("0123456789abcdef");
  info.spec.name = "web";
  info.spec.image = "nginx:1";
  info.spec.labels["tier"] = "front";
  info.spec.log = options("gelf", {{"labels", "tier,none"}, {"env", "COLOUR"}, {"tag", "{{.Name}}/{{ .ID }}"}});
  info.argv.push_back("nginx");
  return log_origin(info, {"COLOUR=blue", "OTHER=x"}, "here");
}

runtime::LogEntry entry(std::string text, StdStream stream = StdStream::out) {
  runtime::LogEntry out;
  out.time = Timestamp(std::chrono::seconds(1'700'000'000) + std::chrono::microseconds(123'456));
  out.stream = stream;
  out.data = std::move(text);
  return out;
}

TEST(LogDriver, KnowsItsOptionsAndRefusesOthers) {
  EXPECT_EQ(log_target(options("json-file")).driver, LogDriver::file);
  EXPECT_EQ(log_target(options("none")).driver, LogDriver::none);
  auto syslog = log_target(options("syslog", {{"syslog-address", "tcp://[::1]:5140"}, {"syslog-facility", "local3"}}));
  EXPECT_EQ(syslog.address.host, "::1");
  EXPECT_EQ(syslog.address.port, "5140");
  EXPECT_EQ(syslog.facility, 19);
  auto fluentd = log_target(options("fluentd", {{"fluentd-address", "logs.example"}}));
  EXPECT_EQ(fluentd.address.port, "24224");
  EXPECT_EQ(log_target(options("gelf", {{"gelf-address", "udp://g:12201"}})).compressed, true);
  EXPECT_EQ(refused(options("journald")), ErrorKind::unsupported);
  EXPECT_EQ(refused(options("json-file", {{"max-sice", "1"}})), ErrorKind::invalid);
  EXPECT_EQ(refused(options("gelf")), ErrorKind::invalid);
  EXPECT_EQ(refused(options("gelf", {{"gelf-address", "unix:///x"}})), ErrorKind::invalid);
  EXPECT_EQ(refused(options("syslog", {{"syslog-address", "nowhere"}})), ErrorKind::invalid);
  auto encrypted = log_target(options("syslog", {{"syslog-address", "tcp+tls://h:1"}, {"syslog-tls-ca-cert", "/ca"}}));
  EXPECT_EQ(encrypted.address.kind, LogAddress::Kind::tls);
  EXPECT_EQ(encrypted.tls, (LogTls{.authorities = "/ca", .certificate = "", .key = "", .skip_verify = false}));
  for (const auto& tls : std::vector<std::map<std::string, std::string>>{
           {{"syslog-tls-ca-cert", "ca.pem"}}, {{"syslog-tls-cert", "/c"}}, {{"syslog-tls-skip-verify", "maybe"}}})
    EXPECT_EQ(refused(options("syslog", tls)), ErrorKind::invalid);
  EXPECT_EQ(log_target(options("fluentd", {{"fluentd-address", "tls://h:1"}})).address.kind, LogAddress::Kind::tls);
  EXPECT_EQ(refused(options("gelf", {{"gelf-address", "tls://h:1"}})), ErrorKind::invalid);
  EXPECT_EQ(refused(options("syslog", {{"syslog-address", "udp://h:99x"}})), ErrorKind::invalid);
  EXPECT_EQ(refused(options("syslog", {{"syslog-facility", "daemons"}})), ErrorKind::invalid);
  EXPECT_EQ(refused(options("fluentd", {{"tag", "{{.Nope}}"}})), ErrorKind::invalid);
  EXPECT_EQ(refused(options("fluentd", {{"tag", "{{.ID"}})), ErrorKind::invalid);
}

TEST(LogDriver, FillsTheTagAndTakesWhatIsAskedFor) {
  auto from = origin();
  EXPECT_EQ(from.tag, "web/0123456789ab");
  EXPECT_EQ(from.extra, (std::map<std::string, std::string>{{"tier", "front"}, {"COLOUR", "blue"}}));
}

TEST(LogMessage, SyslogHasItsFormats) {
  auto target = log_target(options("syslog"));
  EXPECT_EQ(syslog_message(target, origin(), entry("hello\n"), 7), "<30>Nov 14 22:13:20 web/0123456789ab[7]: hello");
  target.format = SyslogFormat::rfc3164;
  EXPECT_EQ(syslog_message(target, origin(), entry("bad\n", StdStream::err), 7),
            "<27>Nov 14 22:13:20 here web/0123456789ab[7]: bad");
  target.format = SyslogFormat::rfc5424micro;
  EXPECT_EQ(syslog_message(target, origin(), entry("hello"), 7),
            "<30>1 2023-11-14T22:13:20.123456Z here web/0123456789ab 7 web/0123456789ab - hello");
}

TEST(LogMessage, GelfIsJsonWhateverAProgramWrites) {
  auto value = boost::json::parse(gelf_message(origin(), entry("caf\xc3\xa9 \xff\n", StdStream::err))).as_object();
  EXPECT_EQ(value["short_message"].as_string(), "caf\xc3\xa9 \xef\xbf\xbd");
  EXPECT_EQ(value["level"].as_int64(), 3);
  EXPECT_EQ(value["_container_name"].as_string(), "web");
  EXPECT_EQ(value["_tier"].as_string(), "front");
  EXPECT_DOUBLE_EQ(value["timestamp"].as_double(), 1'700'000'000.123);
}

TEST(LogMessage, FluentdIsMessagePack) {
  auto target = log_target(options("fluentd"));
  auto message = fluentd_message(target, origin(), entry("hello\n"), 7);
  EXPECT_THAT(message, StartsWith("\x93\xb0web/0123456789ab\xce\x65\x53\xf1\x00"));
  EXPECT_THAT(message, HasSubstr("\xa3log\xa5hello"));
  EXPECT_THAT(message, HasSubstr("\xa6source\xa6stdout"));
}

TEST(LogMessage, AGzipIsReadByOthers) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += std::to_string(i * 7919);
  auto data = gzipped(text);
  EXPECT_LT(data.size(), text.size());
  auto* handle = archive_read_new();
  archive_read_support_filter_gzip(handle);
  archive_read_support_format_raw(handle);
  ASSERT_EQ(archive_read_open_memory(handle, data.data(), data.size()), ARCHIVE_OK);
  archive_entry* header = nullptr;
  ASSERT_EQ(archive_read_next_header(handle, &header), ARCHIVE_OK);
  std::string back(text.size() + 1, '\0');
  auto got = archive_read_data(handle, back.data(), back.size());
  archive_read_free(handle);
  ASSERT_EQ(got, static_cast<la_ssize_t>(text.size()));
  back.resize(text.size());
  EXPECT_EQ(back, text);
}

TEST(LogMessage, AGelfDatagramThatIsTooLargeIsSentInPieces) {
  auto target = log_target(options("gelf", {{"gelf-address", "udp://g:1"}, {"gelf-compression-type", "none"}}));
  auto pieces = log_messages(target, origin(), entry(std::string(16000, 'x')), 5);
  EXPECT_GT(pieces.size(), 10u);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_LE(pieces[i].size(), 1420u);
    EXPECT_THAT(pieces[i], StartsWith(std::string("\x1e\x0f\0\0\0\0\0\0\0\x05", 10) + static_cast<char>(i)));
  }
}

}  // namespace
}  // namespace gantry::engine
