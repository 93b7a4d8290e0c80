#include "ipam.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gantry/base/error.h"
#include "literals.h"
#include "options.h"
#include "subnet_pool.h"

namespace gantry::network {
namespace {

using testing::HasSubstr;

std::string refusal(const NetworkSpec& spec) {
  try {
    auto pools = wanted_pools(spec);
    for (const auto& pool : {pools.v4, pools.v6})
      if (pool) plan_addresses(spec.name, wanted_subnet(spec.name, *pool), &*pool);
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

std::string refused_options(std::map<std::string, std::string> options) {
  try {
    parse_bridge_options(options);
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

TEST(Ipam, OneSubnetOfEachFamily) {
  NetworkSpec spec;
  spec.name = "n";
  spec.ipam = {{.subnet = "fd00:5::/64"}, {.subnet = "10.5.0.0/16", .gateway = "10.5.9.9"}};
  auto pools = wanted_pools(spec);
  EXPECT_EQ(pools.v4->gateway, "10.5.9.9");
  EXPECT_EQ(pools.v6->subnet, "fd00:5::/64");
  spec.ipam.push_back({.subnet = "10.6.0.0/16"});
  EXPECT_THAT(refusal(spec), HasSubstr("bridge driver doesn't support multiple subnets"));
}

TEST(Ipam, TheShortFormIsAPool) {
  NetworkSpec spec;
  spec.name = "n";
  spec.subnet = "10.5.0.0/24";
  spec.gateway = "10.5.0.7";
  EXPECT_EQ(wanted_pools(spec).v4->gateway, "10.5.0.7");
  spec.ipam = {{.subnet = "10.6.0.0/24"}};
  EXPECT_THAT(refusal(spec), HasSubstr("multiple subnets"));
  NetworkSpec lonely;
  lonely.gateway = "10.5.0.1";
  EXPECT_THAT(refusal(lonely), HasSubstr("gateway without a subnet"));
}

TEST(Ipam, RefusesWhatDoesNotFit) {
  struct Case {
    IpamPool pool;
    const char* words;
  };
  for (const auto& one : std::vector<Case>{
           {{.subnet = ""}, "without a subnet"},
           {{.subnet = "10.5.0.0/31"}, "/31 is not between /8 and /30"},
           {{.subnet = "10.0.0.0/7"}, "/7 is not between"},
           {{.subnet = "fd00::/32"}, "/32 is not between /48"},
           {{.subnet = "10.5.0.1/24"}, "is an address within 10.5.0.0/24"},
           {{.subnet = "10.5.0.0/24", .gateway = "10.6.0.1"}, "gateway 10.6.0.1 of network n is not within"},
           {{.subnet = "10.5.0.0/24", .gateway = "10.5.0.0"}, "is not an address within"},
           {{.subnet = "10.5.0.0/24", .gateway = "10.5.0.255"}, "is not an address within"},
           {{.subnet = "10.5.0.0/24", .gateway = "fd00::1"}, "is not within"},
           {{.subnet = "10.5.0.0/24", .ip_range = "10.5.0.0/16"}, "IP range 10.5.0.0/16"},
           {{.subnet = "10.5.0.0/24", .ip_range = "10.6.0.0/25"}, "IP range 10.6.0.0/25"},
           {{.subnet = "10.5.0.0/24", .aux_addresses = {{"router", "10.9.0.1"}}}, "auxiliary address 10.9.0.1"},
           {{.subnet = "10.5.0.0/24", .gateway = "10.5.0.1", .aux_addresses = {{"router", "10.5.0.1"}}},
            "is an auxiliary address"}}) {
    NetworkSpec spec;
    spec.name = "n";
    spec.ipam = {one.pool};
    EXPECT_THAT(refusal(spec), HasSubstr(one.words));
  }
}

TEST(Ipam, AddressesComeFromTheRange) {
  IpamPool pool{.subnet = "10.5.0.0/16", .ip_range = "10.5.7.0/30", .aux_addresses = {{"nas", "10.5.7.1"}}};
  auto plan = plan_addresses("n", net("10.5.0.0/16"), &pool);
  EXPECT_EQ(plan.gateway, ip("10.5.0.1"));
  std::set<Address> used;
  auto taken = [&](const Address& address) { return used.contains(address); };
  for (const char* expected : {"10.5.7.2", "10.5.7.3", "10.5.7.0"}) {
    auto next = next_address(plan, taken, used.empty() ? 0 : index_in(*plan.range, *used.rbegin()));
    ASSERT_TRUE(next);
    EXPECT_EQ(*next, ip(expected));
    used.insert(*next);
  }
  EXPECT_FALSE(next_address(plan, taken, 0));
  EXPECT_TRUE(is_usable(plan, ip("10.5.99.9"))) << "an address that is asked for need not lie in the range";
  EXPECT_FALSE(is_usable(plan, ip("10.5.7.1")));
}

TEST(Ipam, TheGatewayPassesOverOtherMachines) {
  IpamPool pool{.subnet = "10.5.0.0/24", .aux_addresses = {{"a", "10.5.0.1"}, {"b", "10.5.0.2"}}};
  EXPECT_EQ(plan_addresses("n", net("10.5.0.0/24"), &pool).gateway, ip("10.5.0.3"));
}

TEST(Ipam, LinkAddresses) {
  EXPECT_EQ(parse_mac("02:42:AC:11:00:02"), "02:42:ac:11:00:02");
  EXPECT_EQ(parse_mac("02-42-ac-11-00-02"), "02:42:ac:11:00:02");
  for (const char* bad : {"", "02:42:ac:11:00", "02:42:ac:11:00:0g", "01:42:ac:11:00:02", "00:00:00:00:00:00",
                          "02:42:ac:11:00:02:03", "0242ac110002     "})
    EXPECT_THROW(parse_mac(bad), Error) << bad;
}

TEST(BridgeOptions, MeanWhatDockerSays) {
  auto out = parse_bridge_options({{"com.docker.network.driver.mtu", "1400"},
                                   {"com.docker.network.bridge.enable_icc", "false"},
                                   {"com.docker.network.bridge.enable_ip_masquerade", "0"},
                                   {"com.docker.network.bridge.name", "br-shop"},
                                   {"com.docker.network.bridge.host_binding_ipv4", "127.0.0.1"},
                                   {"com.docker.network.container_iface_prefix", "lan"},
                                   {"somebody.else", "whatever"}});
  EXPECT_EQ(out.mtu, 1400);
  EXPECT_FALSE(out.between_containers);
  EXPECT_FALSE(out.masquerade);
  EXPECT_EQ(out.bridge, "br-shop");
  EXPECT_EQ(out.publish_address, "127.0.0.1");
  EXPECT_EQ(out.interface_prefix, "lan");
  EXPECT_EQ(parse_bridge_options({}).mtu, std::nullopt);
  EXPECT_EQ(parse_bridge_options({{"com.docker.network.driver.mtu", "0"}}).mtu, std::nullopt);
}

TEST(BridgeOptions, RefuseWhatTheyCannotKeep) {
  EXPECT_THAT(refused_options({{"com.docker.network.driver.mtu", "big"}}), HasSubstr("is not an MTU"));
  EXPECT_THAT(refused_options({{"com.docker.network.driver.mtu", "20"}}), HasSubstr("is not an MTU"));
  EXPECT_THAT(refused_options({{"com.docker.network.bridge.enable_icc", "maybe"}}), HasSubstr("neither true nor"));
  EXPECT_THAT(refused_options({{"com.docker.network.bridge.name", "a/b"}}), HasSubstr("is not a name of a link"));
  EXPECT_THAT(refused_options({{"com.docker.network.bridge.name", "gtab-1"}}), HasSubstr("Gantry chooses itself"));
  EXPECT_THAT(refused_options({{"com.docker.network.bridge.gateway_mode_ipv4", "routed"}}), HasSubstr("not supported"));
  EXPECT_THAT(refused_options({{"com.docker.network.bridge.host_binding_ipv4", "x"}}), HasSubstr("IP address"));
}

}  // namespace
}  // namespace gantry::network
