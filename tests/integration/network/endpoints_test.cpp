#include <gtest/gtest.h>

#include "lab.h"

namespace gantry::network {
namespace {

using namespace lab;

TEST(Network, TwoEndpointsTalkOverBothFamilies) {
  PlayHost host;
  Daemon daemon(fresh_instance());
  daemon.wait(daemon.manager().create({.name = "shop"}));
  Space web(true), db(true);
  auto web_id = daemon.add("shop", web, {"web"});
  auto db_id = daemon.add("shop", db, {"db"});
  Server server(&db, 5432, false);
  auto source = daemon.endpoint(web_id);
  auto target = daemon.endpoint(db_id);
  EXPECT_EQ(ask(&web, target.ipv4, 5432), source.ipv4);
  EXPECT_EQ(ask(&web, target.ipv6, 5432), source.ipv6);
  EXPECT_TRUE(pings(&web, target.ipv4));
  EXPECT_TRUE(pings(&web, target.ipv6));
  EXPECT_TRUE(pings(&web, target.gateway));
  EXPECT_TRUE(pings(&web, target.gateway6));
}

TEST(Network, GoesOutThroughTheHostsAddress) {
  PlayHost host;
  Outside outside;
  Daemon daemon(fresh_instance());
  Space web(true);
  auto id = daemon.add("default", web, {"web"});
  Server server(&outside.space, 8000, false);
  EXPECT_EQ(ask(&web, "198.51.100.2", 8000), "198.51.100.1");
  EXPECT_EQ(ask(&web, "2001:db8:51::2", 8000), "2001:db8:51::1");
  EXPECT_FALSE(reaches(&outside.space, daemon.endpoint(id).ipv4, 8000));
}

}  // namespace
}  // namespace gantry::network
