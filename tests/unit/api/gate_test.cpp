#include "gantry/api/gate.h"

#include "fake_exchange.h"
#include "gantry/base/files.h"
#include "gantry/base/http_client.h"

namespace {
using namespace gantry;
using namespace gantry::api;

class Allow : public Authorizer {
 public:
  void authorize(const Principal&, const Access& access) const override { asked.push_back(access); }
  mutable std::vector<Access> asked;
};

class Deny : public Authorizer {
 public:
  void authorize(const Principal& principal, const Access& access) const override {
    throw Error(ErrorKind::denied, principal.name + " may not " + access.action, "ask an administrator");
  }
};

class Remember : public AuditLog {
 public:
  void record(const AuditRecord& record, bool changed) noexcept override {
    records.push_back(record);
    changes.push_back(changed);
  }
  std::vector<AuditRecord> records;
  std::vector<bool> changes;
};

struct Stage {
  asio::io_context context;
  PeerAuthenticator authenticator;
  Remember audit;
  int handled = 0;

  Router router() {
    auto remove = [this](Call call) -> task<> { return remove_thing(this, std::move(call)); };
    auto make = [](Call call) -> task<> { return make_thing(std::move(call)); };
    return Router({{"DELETE", "/v1/things/{name}", "thing.remove", Effect::changes, {"force"}, remove},
                   {"POST", "/v1/things", "thing.create", Effect::changes, {}, make}});
  }

  static task<> remove_thing(Stage* stage, Call call) {
    ++stage->handled;
    if (call.parameter("name") == "busy") throw Error(ErrorKind::conflict, "'busy' is in use");
    co_await call.exchange.respond(204, "", "");
  }
  static task<> make_thing(Call call) {
    *call.audited_object = "made";
    co_await call.exchange.respond(201, "", "");
  }
};

TEST(Gate, AuthorizesWithActionProjectAndObjectThenAudits) {
  Stage stage;
  Allow allow;
  Gate gate(stage.router(), stage.authenticator, allow, stage.audit);
  FakeExchange exchange("DELETE", "/v1/things/web?force=1");
  run(stage.context, gate.handle(exchange));
  EXPECT_EQ(exchange.status, 204);
  ASSERT_EQ(allow.asked.size(), 1u);
  EXPECT_EQ(allow.asked[0].action, "thing.remove");
  EXPECT_EQ(allow.asked[0].project, "default");
  EXPECT_EQ(allow.asked[0].object, "web");
  ASSERT_EQ(stage.audit.records.size(), 1u);
  EXPECT_EQ(stage.audit.records[0].outcome, "ok");
  EXPECT_EQ(stage.audit.records[0].principal, "uid 1000");
  EXPECT_EQ(stage.audit.records[0].pid, 42);
  EXPECT_TRUE(stage.audit.changes[0]);
}

TEST(Gate, WhatIsDeniedNeverReachesTheHandlerAndIsAudited) {
  Stage stage;
  Deny deny;
  Gate gate(stage.router(), stage.authenticator, deny, stage.audit);
  FakeExchange exchange("DELETE", "/v1/things/web");
  auto error = error_of([&] { run(stage.context, gate.handle(exchange)); });
  EXPECT_EQ(error.kind(), ErrorKind::denied);
  EXPECT_EQ(stage.handled, 0);
  ASSERT_EQ(stage.audit.records.size(), 1u);
  EXPECT_EQ(stage.audit.records[0].outcome, "denied");
  EXPECT_EQ(stage.audit.records[0].action, "thing.remove");
  EXPECT_EQ(stage.audit.records[0].object, "web");
}

TEST(Gate, AuditsFailuresAndObjectsThatHandlersMake) {
  Stage stage;
  Allow allow;
  Gate gate(stage.router(), stage.authenticator, allow, stage.audit);
  FakeExchange busy("DELETE", "/v1/things/busy");
  EXPECT_THROW(run(stage.context, gate.handle(busy)), Error);
  FakeExchange made("POST", "/v1/things");
  run(stage.context, gate.handle(made));
  ASSERT_EQ(stage.audit.records.size(), 2u);
  EXPECT_EQ(stage.audit.records[0].outcome, "conflict");
  EXPECT_EQ(stage.audit.records[0].reason, "'busy' is in use");
  EXPECT_EQ(stage.audit.records[1].object, "made");
}

TEST(Gate, RefusesUnknownQueryParametersAndProjects) {
  Stage stage;
  Allow allow;
  Gate gate(stage.router(), stage.authenticator, allow, stage.audit);
  FakeExchange misspelt("DELETE", "/v1/things/web?forse=1");
  auto error = error_of([&] { run(stage.context, gate.handle(misspelt)); });
  EXPECT_EQ(error.message(), "unknown query parameter 'forse'");
  EXPECT_EQ(error.fix(), "known here: force");
  FakeExchange elsewhere("DELETE", "/v1/things/web");
  elsewhere.change().headers.add("gantry-project", "other");
  error = error_of([&] { run(stage.context, gate.handle(elsewhere)); });
  EXPECT_EQ(error.message(), "no project 'other'");
  EXPECT_EQ(stage.handled, 0);
}

TEST(Gate, AuditsWhatMatchesNoRoute) {
  Stage stage;
  Allow allow;
  Gate gate(stage.router(), stage.authenticator, allow, stage.audit);
  FakeExchange lost("GET", "/nowhere");
  EXPECT_THROW(run(stage.context, gate.handle(lost)), Error);
  ASSERT_EQ(stage.audit.records.size(), 1u);
  EXPECT_EQ(stage.audit.records[0].action, "GET /nowhere");
  EXPECT_EQ(stage.audit.records[0].outcome, "not_found");
  EXPECT_TRUE(allow.asked.empty());
}

task<> ask_and_close(http::Client client, http::Server* server, std::exception_ptr* failure) {
  try {
    co_await client.call(http::make_request("DELETE", "/v1/things/web"));
  } catch (...) {
    *failure = std::current_exception();
  }
  co_await server->close();
}

TEST(Gate, ADeniedClientLearnsKindAndFix) {
  Stage stage;
  Deny deny;
  Gate gate(stage.router(), stage.authenticator, deny, stage.audit);
  TemporaryDirectory directory(std::filesystem::temp_directory_path(), "gantry-api-");
  http::Server server(stage.context.get_executor(), [&](http::Exchange& exchange) { return gate.handle(exchange); });
  server.listen(http::UnixEndpoint{.path = directory.path() / "s"});
  std::exception_ptr failure;
  run(stage.context, ask_and_close(http::Client(directory.path() / "s"), &server, &failure));
  ASSERT_TRUE(failure);
  auto error = to_error(failure);
  EXPECT_EQ(error.kind(), ErrorKind::denied);
  EXPECT_EQ(error.fix(), "ask an administrator");
  EXPECT_EQ(stage.audit.records.size(), 1u);
}

TEST(Access, RootAndTheGroupMayAndOthersMayNot) {
  LocalAuthorizer authorizer("daemon");  // a group every Debian has
  ASSERT_TRUE(authorizer.group_id());
  Access access{"container.start", "default", "web"};
  authorizer.authorize(Principal{"root", 0, {}, 1}, access);
  authorizer.authorize(Principal{"uid 54321", 54321, {7777, *authorizer.group_id()}, 1}, access);
  auto error = error_of([&] { authorizer.authorize(Principal{"uid 54321", 54321, {7777}, 1}, access); });
  EXPECT_EQ(error.kind(), ErrorKind::denied);
  EXPECT_EQ(error.message(), "uid 54321 may not container.start in project 'default'");
  EXPECT_NE(error.fix().find("'daemon'"), std::string::npos);
}

}  // namespace
