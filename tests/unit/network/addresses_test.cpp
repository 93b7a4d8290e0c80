#include <gtest/gtest.h>

#include <set>

#include "address.h"
#include "gantry/base/error.h"
#include "ipam.h"
#include "literals.h"
#include "resolvers.h"
#include "subnet_pool.h"

namespace gantry::network {
namespace {

TEST(Subnets, ParseAndRefuse) {
  EXPECT_EQ(net("10.5.0.0/24").text(), "10.5.0.0/24");
  EXPECT_EQ(net("fd00:1::/64").prefix, 64);
  for (const char* bad :
       {"", "10.5.0.0", "10.5.0.0/", "10.5.0.0/33", "10.5.0.1/24", "10.5.0.0/-1", "x/24", "10.5.0.0/24x"})
    EXPECT_THROW(net(bad), Error) << bad;
}

TEST(Subnets, OverlapBothWays) {
  EXPECT_TRUE(net("10.0.0.0/8").overlaps(net("10.5.0.0/24")));
  EXPECT_TRUE(net("10.5.0.0/24").overlaps(net("10.0.0.0/8")));
  EXPECT_FALSE(net("10.5.0.0/24").overlaps(net("10.5.1.0/24")));
  EXPECT_FALSE(net("10.5.0.0/24").overlaps(net("fd00::/8")));
  EXPECT_TRUE(net("fd00::/8").overlaps(net("fd12::/64")));
}

TEST(Subnets, PickAvoidsWhatIsUsedAndWraps) {
  auto pool = net("10.64.0.0/10");
  EXPECT_EQ(pick_subnet(pool, 24, {}, 5)->text(), "10.64.5.0/24");
  EXPECT_EQ(pick_subnet(pool, 24, {net("10.64.5.0/25")}, 5)->text(), "10.64.6.0/24");
  EXPECT_EQ(pick_subnet(pool, 24, {net("10.127.255.0/24")}, 16383)->text(), "10.64.0.0/24");
  EXPECT_FALSE(pick_subnet(pool, 24, {net("10.0.0.0/8")}, 0));
  auto own = random_unique_local();
  EXPECT_TRUE(net("fd00::/8").contains(own.base));
  auto piece = pick_subnet(own, 64, {}, 0xabcd);
  EXPECT_TRUE(own.contains(piece->base));
  EXPECT_TRUE(piece->text().ends_with(":abcd::/64")) << piece->text();
}

TEST(Subnets, AddressesGoOnAfterTheLastOne) {
  auto subnet = net("10.64.5.0/29");
  auto plan = plan_addresses("n", subnet, nullptr);
  EXPECT_EQ(plan.gateway, ip("10.64.5.1"));
  std::set<Address> used;
  auto taken = [&](const Address& address) { return used.contains(address); };
  EXPECT_EQ(next_address(plan, taken, 0), ip("10.64.5.2")) << "past the gateway";
  EXPECT_EQ(next_address(plan, taken, 4), ip("10.64.5.5"));
  EXPECT_EQ(next_address(plan, taken, 6), ip("10.64.5.2")) << "wraps, past the broadcast address and the network's own";
  for (int last = 2; last < 7; ++last) used.insert(subnet.nth(static_cast<std::uint64_t>(last)));
  EXPECT_FALSE(next_address(plan, taken, 3));
}

TEST(Subnets, DerivedNames) {
  EXPECT_EQ(mac_for(ip("10.64.5.2")), "0a:67:0a:40:05:02");
  EXPECT_EQ(reverse_name(ip("10.64.5.2")), "2.5.64.10.in-addr.arpa.");
  EXPECT_TRUE(reverse_name(ip("fd00::12")).starts_with("2.1.0.0."));
}

TEST(ResolvConf, TakesServersAndSearch) {
  auto config = parse_resolv_conf(
      "# comment\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\nnameserver nonsense\nsearch a.example "
      "b.example\noptions x\n");
  ASSERT_EQ(config.servers.size(), 2u);
  EXPECT_EQ(config.servers[0], ip("127.0.0.53"));
  EXPECT_EQ(config.search, (std::vector<std::string>{"a.example", "b.example"}));
}

}  // namespace
}  // namespace gantry::network
