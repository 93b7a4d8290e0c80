#include "parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gantry/base/error.h"

namespace gantry::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

template <class F>
std::string message_of(F call) {
  try {
    call();
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

std::string port_text(std::string_view text) {
  std::string out;
  for (const auto& port : parse_ports(text)) {
    if (!out.empty()) out += ' ';
    out += port.host_ip + "|" + std::to_string(port.host_port) + "|" + std::to_string(port.container_port) +
           (port.protocol == engine::Protocol::udp ? "|udp" : "|tcp");
    if (port.host_port_end != 0) out += "|to " + std::to_string(port.host_port_end);
  }
  return out;
}

TEST(ParsePorts, EveryForm) {
  EXPECT_EQ(port_text("80"), "|0|80|tcp");
  EXPECT_EQ(port_text("8080:80"), "|8080|80|tcp");
  EXPECT_EQ(port_text("53:53/udp"), "|53|53|udp");
  EXPECT_EQ(port_text("127.0.0.1:8080:80"), "127.0.0.1|8080|80|tcp");
  EXPECT_EQ(port_text("127.0.0.1::80"), "127.0.0.1|0|80|tcp");
  EXPECT_EQ(port_text("0:80"), "|0|80|tcp");
  EXPECT_EQ(port_text("127.0.0.1:0:80"), "127.0.0.1|0|80|tcp");
  EXPECT_EQ(port_text("8000-8010:80"), "|8000|80|tcp|to 8010");
  EXPECT_EQ(port_text("[::1]:8080:80"), "::1|8080|80|tcp");
  EXPECT_EQ(port_text("8000-8001:80-81"), "|8000|80|tcp |8001|81|tcp");
}

TEST(ParsePorts, MistakesAreNamed) {
  EXPECT_THAT(message_of([] { parse_ports("99999:1"); }), HasSubstr("'99999' is not a port"));
  EXPECT_THAT(message_of([] { parse_ports("0"); }), HasSubstr("'0' is not a port"));
  EXPECT_THAT(message_of([] { parse_ports("80-82:80-81"); }), HasSubstr("different lengths"));
  EXPECT_THAT(message_of([] { parse_ports("82-80"); }), HasSubstr("ends before it begins"));
  EXPECT_THAT(message_of([] { parse_ports("80:80/sctp"); }), HasSubstr("neither tcp nor udp"));
  EXPECT_THAT(message_of([] { parse_ports("300.0.0.1:80:80"); }), HasSubstr("is not an address"));
  EXPECT_THAT(message_of([] { parse_ports("[::1]:80"); }), HasSubstr("host port is missing"));
  EXPECT_NE(message_of([] { parse_ports(""); }), "no error");
  EXPECT_NE(message_of([] { parse_ports(":"); }), "no error");
}

TEST(ParseVolume, NamedAnonymousAndBind) {
  auto named = parse_volume("data:/var/lib/x:ro", "/here");
  EXPECT_EQ(named.type, engine::MountType::volume);
  EXPECT_EQ(named.source, "data");
  EXPECT_EQ(named.target, "/var/lib/x");
  EXPECT_TRUE(named.read_only);

  auto anonymous = parse_volume("/cache", "/here");
  EXPECT_EQ(anonymous.type, engine::MountType::volume);
  EXPECT_EQ(anonymous.source, "");

  auto bind = parse_volume("./src/../lib:/lib:rw,z", "/here");
  EXPECT_EQ(bind.type, engine::MountType::bind);
  EXPECT_EQ(bind.source, "/here/lib");
  EXPECT_TRUE(bind.create_source);
  EXPECT_EQ(parse_volume(".:/app", "/here").source, "/here");
  EXPECT_EQ(parse_volume("/:/host", "/here").source, "/");
}

TEST(ParseVolume, MistakesAreNamed) {
  EXPECT_THAT(message_of([] { parse_volume("data:relative", "/"); }), HasSubstr("must be absolute"));
  EXPECT_THAT(message_of([] { parse_volume("a b:/x", "/"); }), HasSubstr("a volume's name"));
  EXPECT_THAT(message_of([] { parse_volume("a:/x:rx", "/"); }), HasSubstr("unknown option 'rx'"));
  EXPECT_NE(message_of([] { parse_volume("a:/x:ro:more", "/"); }), "no error");
  EXPECT_NE(message_of([] { parse_volume("", "/"); }), "no error");
}

TEST(ParseMount, EveryKindAndSynonym) {
  auto bind = parse_mount("type=bind,src=data,dst=/data,readonly", "/here");
  EXPECT_EQ(bind.type, engine::MountType::bind);
  EXPECT_EQ(bind.source, "/here/data");
  EXPECT_TRUE(bind.read_only);
  EXPECT_FALSE(bind.create_source);
  auto tmpfs = parse_mount("type=tmpfs,target=/run,tmpfs-size=64m,tmpfs-mode=1777", "/");
  EXPECT_EQ(tmpfs.tmpfs_size, 64u << 20);
  EXPECT_EQ(tmpfs.tmpfs_mode, 01777u);
  EXPECT_TRUE(parse_mount("source=v,target=/v,volume-nocopy", "/").no_copy);
}

TEST(ParseMount, MistakesAreNamed) {
  EXPECT_THAT(message_of([] { parse_mount("sorce=v,target=/v", "/"); }), HasSubstr("did you mean 'source'?"));
  EXPECT_THAT(message_of([] { parse_mount("type=disk,target=/v", "/"); }), HasSubstr("expected bind, volume or tmpfs"));
  EXPECT_THAT(message_of([] { parse_mount("type=bind,target=/v", "/"); }), HasSubstr("needs a source"));
  EXPECT_THAT(message_of([] { parse_mount("source=v,target=/v,tmpfs-size=1m", "/"); }), HasSubstr("need type=tmpfs"));
  EXPECT_THAT(message_of([] { parse_mount("type=tmpfs,target=/v,tmpfs-mode=9", "/"); }), HasSubstr("permission bits"));
}

TEST(ParseTmpfs, OptionsAndMistakes) {
  auto mount = parse_tmpfs("/run:size=1g,mode=755");
  EXPECT_EQ(mount.tmpfs_size, 1u << 30);
  EXPECT_EQ(mount.tmpfs_mode, 0755u);
  EXPECT_EQ(parse_tmpfs("/run:noexec,uid=7").options, (std::vector<std::string>{"noexec", "uid=7"}));
}

TEST(ParseRestart, Policies) {
  EXPECT_EQ(parse_restart("always").mode, engine::RestartMode::always);
  EXPECT_EQ(parse_restart("on-failure:3").max_retries, 3);
  for (auto wrong : {"sometimes", "always:3", "on-failure:x", "on-failure:-1", ""})
    EXPECT_THROW(parse_restart(wrong), Error) << wrong;
}

TEST(ParseUlimit, SoftAndHard) {
  auto both = parse_ulimit("nofile=1024:2048");
  EXPECT_EQ(both.soft, 1024u);
  EXPECT_EQ(both.hard, 2048u);
  EXPECT_EQ(parse_ulimit("core=-1").hard, std::numeric_limits<std::uint64_t>::max());
  EXPECT_THROW(parse_ulimit("nofile=2:1"), Error);
  EXPECT_THROW(parse_ulimit("nofile"), Error);
}

TEST(ParseSecurityOption, BothSpellings) {
  engine::Security security;
  auto read = [](const std::filesystem::path& path) { return "text of " + path.string(); };
  for (const char* option : {"no-new-privileges:false", "seccomp=unconfined", "apparmor=mine", "label:type:web_t"})
    apply_security_option(option, security, read);
  EXPECT_FALSE(security.no_new_privileges);
  EXPECT_EQ(security.seccomp, engine::Seccomp::unconfined);
  EXPECT_EQ(security.apparmor, "mine");
  EXPECT_EQ(security.selinux, std::vector<std::string>{"type:web_t"});
  apply_security_option("seccomp=profile.json", security, read);
  EXPECT_EQ(security.seccomp_profile, "text of profile.json");
  EXPECT_THROW(apply_security_option("unknown=x", security, read), Error);
}

TEST(ParseVariable, ValueFromTheEnvironment) {
  std::map<std::string, std::string> environment{{"HERE", "1"}};
  EXPECT_EQ(parse_variable("A=b=c", environment), "A=b=c");
  EXPECT_EQ(parse_variable("HERE", environment), "HERE=1");
  EXPECT_EQ(parse_variable("AWAY", environment), std::nullopt);
  EXPECT_THROW(parse_variable("=x", environment), Error);
}

TEST(ParseVariableFile, CommentsAndAllMistakesAtOnce) {
  EXPECT_THAT(parse_variable_file("# c\nA=1\r\n\n  B=2 x\nHOME\n", "f", {{"HOME", "/h"}}),
              ElementsAre("A=1", "B=2 x", "HOME=/h"));
  try {
    parse_variable_file("A B=1\nC=1\n=2\n", "f.env", {});
    FAIL();
  } catch (const Error& error) {
    ASSERT_EQ(error.findings().size(), 2u);
    EXPECT_EQ(error.findings()[1].place.line, 3);
    EXPECT_EQ(error.findings()[1].place.file, "f.env");
  }
}

TEST(ParseGrace, BareNumbersAreSeconds) {
  EXPECT_EQ(parse_grace("10", "-t"), 10s);
  EXPECT_EQ(parse_grace("1m30s", "-t"), 90s);
  EXPECT_THROW(parse_grace("-1", "-t"), Error);
  EXPECT_THROW(parse_grace("soon", "-t"), Error);
}

TEST(ParseMoment, SpansAndTimes) {
  auto now = *from_rfc3339("2026-11-21T08:30:00Z");
  EXPECT_EQ(parse_moment("10m", now, "--since"), now - 10min);
  EXPECT_EQ(parse_moment("2026-11-21T08:00:00Z", now, "--since"), now - 30min);
  EXPECT_EQ(parse_moment("2026-11-21T08:00:00", now, "--since"), now - 30min);
  EXPECT_EQ(parse_moment("2026-11-21T08:00", now, "--since"), now - 30min);
  EXPECT_EQ(parse_moment("2026-11-21", now, "--since"), now - 510min);
  EXPECT_EQ(parse_moment("1", now, "--since"), Timestamp(1s));
  EXPECT_THROW(parse_moment("yesterday", now, "--since"), Error);
}

TEST(ParseHost, UnixSocketsOnly) {
  EXPECT_EQ(parse_host("unix:///x/y.sock"), "/x/y.sock");
  EXPECT_EQ(parse_host("/x/y.sock"), "/x/y.sock");
  EXPECT_THROW(parse_host("tcp://1.2.3.4"), Error);
}

TEST(ParseDetachKeys, ControlKeysAndLetters) {
  EXPECT_EQ(parse_detach_keys("ctrl-p,ctrl-q"), "\x10\x11");
  EXPECT_EQ(parse_detach_keys("a"), "a");
  EXPECT_THROW(parse_detach_keys("ctrl-"), Error);
}

TEST(ParseExtraHost, BothSeparators) {
  EXPECT_EQ(parse_extra_host("db:10.0.0.1"), "db:10.0.0.1");
  EXPECT_EQ(parse_extra_host("db=[fd00::1]"), "db:fd00::1");
  EXPECT_THROW(parse_extra_host("db"), Error);
}

}  // namespace
}  // namespace gantry::cli
