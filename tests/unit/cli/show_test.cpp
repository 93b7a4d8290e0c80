#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "console.h"
#include "doctor.h"
#include "events.h"
#include "format.h"
#include "logs.h"
#include "session.h"
#include "stack_display.h"
#include "table.h"
#include "targets.h"
#include "text.h"

namespace gantry::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

const Timestamp kNow = *from_rfc3339("2026-11-21T08:30:00Z");

engine::ContainerInfo container(std::string name, std::string stack = {}, std::string service = {}) {
  engine::ContainerInfo info;
  info.spec.name = std::move(name);
  if (!stack.empty()) info.spec.labels[engine::kStackLabel] = stack;
  if (!service.empty()) info.spec.labels[engine::kServiceLabel] = service;
  return info;
}

std::vector<std::string> names_of(const std::vector<engine::ContainerInfo>& containers) {
  std::vector<std::string> names;
  for (const auto& one : containers) names.push_back(one.spec.name);
  return names;
}

TEST(Text, NearestFindsSlipsOnly) {
  std::vector<std::string> known{"up", "down", "image ls", "inspect"};
  EXPECT_EQ(nearest("dwon", known), "down");
  EXPECT_EQ(nearest("insp", known), "inspect");
  EXPECT_EQ(nearest("elephant", known), "");
}

TEST(Text, WidthCountsWhatIsSeen) {
  EXPECT_EQ(display_width("\x1b[31mäöü\x1b[0m"), 3u);
  EXPECT_EQ(ellipsize("abcdef", 4), "abc…");
  EXPECT_EQ(ellipsize("äöü", 3), "äöü");
  EXPECT_EQ(one_line("a\nb\x1b[2J"), "a b [2J");
}

TEST(Table, ColumnsAlignAndLinesEndClean) {
  Table table({"NAME", "STATUS", "PORTS"});
  table.add({"web", "Up 3 minutes", ""});
  table.add({"database", painted(Colour::green, "Up"), "x"});
  EXPECT_EQ(table.text(),
            "NAME       STATUS         PORTS\n"
            "web        Up 3 minutes\n"
            "database   \x1b[32mUp\x1b[0m             x\n");
}

TEST(Format, StatusOfEveryState) {
  auto info = container("web");
  EXPECT_EQ(status_text(info, kNow), "Created");
  info.state = engine::State::running;
  info.started = kNow - 3min;
  EXPECT_EQ(status_text(info, kNow), "Up 3 minutes");
  info.health = engine::Health::healthy;
  EXPECT_EQ(status_text(info, kNow), "Up 3 minutes (healthy)");
  info.health = engine::Health::starting;
  EXPECT_EQ(status_text(info, kNow), "Up 3 minutes (health: starting)");
  info.state = engine::State::exited;
  info.exit_code = 137;
  info.oom_killed = true;
  info.finished = kNow - 5s;
  EXPECT_EQ(status_text(info, kNow), "Exited (137) 5 seconds ago (out of memory)");
  info.state = engine::State::restarting;
  EXPECT_EQ(status_text(info, kNow), "Restarting (137) 5 seconds ago");
}

TEST(Format, PortsInOneLine) {
  using engine::Protocol;
  EXPECT_EQ(ports_text({{"", 8081, 81, Protocol::tcp}, {"", 8080, 80, Protocol::tcp}, {"::1", 53, 53, Protocol::udp}}),
            "*:8080-8081->80-81/tcp, [::1]:53->53/udp");
  EXPECT_EQ(ports_text({}), "");
}

TEST(Format, IsolationSaysWhatIsOff) {
  auto info = container("web");
  EXPECT_EQ(isolation_text(info), "ok");
  info.isolation_off = {"userns=host", "cap_add=NET_ADMIN"};
  EXPECT_EQ(isolation_text(info), "userns=host, cap_add=NET_ADMIN");
}

TEST(Format, AddressesToOpen) {
  using engine::Protocol;
  auto web = container("shop-web-1", "shop", "web");
  web.ports = {{"", 8080, 80, Protocol::tcp}, {"127.0.0.1", 8443, 443, Protocol::tcp}};
  auto db = container("db");
  db.ports = {{"10.0.0.5", 5432, 5432, Protocol::tcp}, {"", 0, 99, Protocol::tcp}};
  std::vector<std::string> texts;
  for (const auto& address : addresses({web, db, web})) texts.push_back(address.who + " " + address.text);
  EXPECT_THAT(texts,
              ElementsAre("web http://localhost:8080/", "web https://localhost:8443/", "db 10.0.0.5:5432 (tcp)"));
}

TEST(StackDisplay, SummaryNamesWhatToOpen) {
  api::Stack stack;
  stack.name = "shop";
  stack.status = "running";
  stack.containers = stack.running = 2;
  auto web = container("shop-web-1", "shop", "web");
  web.ports = {{"", 8080, 80, engine::Protocol::tcp}};
  EXPECT_EQ(stack_summary(stack, {web}, Console({})),
            "stack shop: running, 2/2 containers running\n  web  http://localhost:8080/\n");
}

TEST(StackDisplay, StepsKnowWhetherTheyAreOver) {
  EXPECT_EQ(item_of({"container", "a", "starting", ""}).mark, Mark::active);
  EXPECT_EQ(item_of({"container", "a", "started", ""}).mark, Mark::done);
  EXPECT_EQ(item_of({"container", "a", "failed", "why"}).mark, Mark::failed);
}

TEST(Console, AnErrorShowsMessageFindingsAndFix) {
  Error error(ErrorKind::invalid, "compose.yaml has 2 mistakes",
              {{{"compose.yaml", 3, 5}, "unknown key 'imge'"}, {{"b", 2, 0}, "x"}}, "correct them");
  EXPECT_EQ(describe(error),
            "gantry: compose.yaml has 2 mistakes\ncompose.yaml:3:5: unknown key 'imge'\nb:2: x\nfix: correct them\n");
}

TEST(Doctor, FixesStandBelowTheTable) {
  auto text = doctor_text({{"crun", "failure", "not found", "apt install crun"}, {"cgroups", "ok", "version 2", ""}},
                          Console({}));
  EXPECT_THAT(text, HasSubstr("crun      failure   not found\n"));
  EXPECT_THAT(text, HasSubstr("failure: crun\n  fix: apt install crun\n"));
}

TEST(Events, OneLineEach) {
  engine::Event event;
  event.time = kNow;
  event.type = "container";
  event.action = "die";
  event.name = "web";
  event.attributes = {{"exit_code", "1"}, {"image", "x\ny"}};
  EXPECT_EQ(event_text(event), "2026-11-21T08:30:00.000000000Z container die web (exit_code=1, image=x y)\n");
}

TEST(Logs, PrefixesWholeLines) {
  LinePrefixer prefixer("web | ");
  EXPECT_EQ(prefixer.feed("one\ntw"), "web | one\n");
  EXPECT_EQ(prefixer.feed("o\n\n"), "web | two\nweb | \n");
  EXPECT_EQ(prefixer.feed("rest"), "");
  EXPECT_EQ(prefixer.finish(), "web | rest\n");
  EXPECT_EQ(prefixer.finish(), "");
}

TEST(DetachScanner, HoldsBackAPartOfTheKeys) {
  DetachScanner scanner("\x10\x11");
  EXPECT_EQ(scanner.feed("ab\x10"), "ab");
  EXPECT_EQ(scanner.feed("c"),
            "\x10"
            "c");
  EXPECT_EQ(scanner.feed("\x10\x10"), "\x10");
  EXPECT_FALSE(scanner.detached());
  EXPECT_EQ(scanner.feed("\x11zzz"), "");
  EXPECT_TRUE(scanner.detached());
}

TEST(DetachScanner, WithoutKeysEverythingPasses) {
  DetachScanner scanner("");
  EXPECT_EQ(scanner.feed("\x10\x11"), "\x10\x11");
  EXPECT_FALSE(scanner.detached());
}

TEST(Targets, ServicesAndStacks) {
  std::vector<engine::ContainerInfo> all{container("shop-web-2", "shop", "web"), container("shop-web-1", "shop", "web"),
                                         container("shop-db-1", "shop", "db"), container("blog-db-1", "blog", "db")};
  EXPECT_THAT(names_of(match_service(all, "web", false)), ElementsAre("shop-web-1", "shop-web-2"));
  EXPECT_THAT(names_of(match_service(all, "blog/db", false)), ElementsAre("blog-db-1"));
  EXPECT_THAT(names_of(match_service(all, "shop", true)), ElementsAre("shop-db-1", "shop-web-1", "shop-web-2"));
  EXPECT_TRUE(match_service(all, "shop", false).empty());
  try {
    match_service(all, "db", false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_EQ(error.fix(), "write blog/db or shop/db");
  }
}

}  // namespace
}  // namespace gantry::cli
