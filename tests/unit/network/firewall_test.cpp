#include "firewall.h"
#include "literals.h"

#include <gtest/gtest.h>

namespace gantry::network {
namespace {

FirewallNetwork network(bool internal) {
  return {"gta-1", internal, parse_subnet("test", "10.64.0.0/24"), parse_subnet("test", "fd00:1::/64")};
}

TEST(Rules, AForwardIsOneElement) {
  PortForward any{false, {}, 8080, ip("10.64.0.2"), 80};
  EXPECT_EQ(rules::add_forwards("a", {any}), "add element inet gantry_a every4 { 6 . 8080 : 10.64.0.2 . 80 }\n");
  EXPECT_EQ(rules::remove_forwards("a", {any}), "delete element inet gantry_a every4 { 6 . 8080 }\n");
  PortForward one{true, ip("fd00::2"), 53, ip("fd00:1::2"), 5353};
  EXPECT_EQ(rules::add_forwards("a", {one}),
            "add element inet gantry_a exact6 { fd00::2 . 17 . 53 : fd00:1::2 . 5353 }\n");
}

TEST(Rules, AnInternalNetworkIsNotRouted) {
  EXPECT_NE(rules::add_network("a", network(false)).find("routed"), std::string::npos);
  EXPECT_EQ(rules::add_network("a", network(true)).find("routed"), std::string::npos);
}

TEST(Rules, TheGuardStandsOnlyWhereForwardingIsOurs) {
  FirewallState state{"a", false, {network(false)}, {}};
  EXPECT_EQ(rules::replace(state).find("chain guard"), std::string::npos);
  state.guard = true;
  EXPECT_NE(rules::replace(state).find("jump guard"), std::string::npos);
}

}  // namespace
}  // namespace gantry::network
