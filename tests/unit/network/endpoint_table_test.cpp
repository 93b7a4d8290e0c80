#include "endpoint_table.h"
#include "literals.h"

#include <gtest/gtest.h>

namespace gantry::network {
namespace {

struct EndpointTableTest : testing::Test {
  EndpointRecord& add(const std::string& container, const std::string& network, const std::string& ipv4,
                      std::vector<std::string> names = {}) {
    EndpointRecord record;
    record.container = ContainerId(container);
    record.network = NetworkId(network);
    record.position = table.next_position();
    record.ipv4 = ip(ipv4);
    record.names = std::move(names);
    return table.add(std::move(record));
  }
  std::size_t named(const std::string& network, const std::string& name) {
    return table.named(NetworkId(network), name).size();
  }
  EndpointTable table;
};

TEST_F(EndpointTableTest, FindsByContainerAddressAndName) {
  add("a", "n", "10.0.0.2", {"Web", "web"});
  add("b", "n", "10.0.0.3", {"web"});
  add("a", "m", "10.1.0.2", {"web"});
  EXPECT_EQ(table.of(ContainerId("a")).size(), 2u);
  EXPECT_EQ(table.of(ContainerId("a"))[1]->network.str(), "m");
  EXPECT_TRUE(table.of(ContainerId("c")).empty());
  EXPECT_EQ(table.at(NetworkId("n"), ip("10.0.0.3"))->container.str(), "b");
  EXPECT_EQ(table.at(NetworkId("m"), ip("10.0.0.3")), nullptr);
  EXPECT_EQ(named("n", "web"), 2u);
  EXPECT_EQ(named("m", "web"), 1u);
  EXPECT_EQ(named("n", "db"), 0u);
  EXPECT_EQ(table.count(NetworkId("n")), 2u);
}

TEST_F(EndpointTableTest, WhatIsErasedIsFoundNoMore) {
  auto first = add("a", "n", "10.0.0.2", {"web"}).position;
  add("b", "n", "10.0.0.3", {"web"});
  table.erase(first);
  table.erase(first);
  EXPECT_EQ(table.at(NetworkId("n"), ip("10.0.0.2")), nullptr);
  EXPECT_TRUE(table.of(ContainerId("a")).empty());
  EXPECT_EQ(named("n", "web"), 1u);
  EXPECT_EQ(table.count(NetworkId("n")), 1u);
  EXPECT_EQ(table.last(NetworkId("n")), ip("10.0.0.3")) << "the next lease goes on from here";
}

TEST_F(EndpointTableTest, ARenamedOneAnswersToItsNewNames) {
  auto& web = add("a", "n", "10.0.0.2", {"web"});
  table.rename(web, {"www"});
  EXPECT_EQ(named("n", "web"), 0u);
  EXPECT_EQ(named("n", "www"), 1u);
}

TEST(ReverseName, LeadsBackToItsAddress) {
  for (const char* text : {"10.64.5.2", "fd00::12", "2001:db8:51::1"})
    EXPECT_EQ(address_of_reverse(reverse_name(ip(text))), ip(text));
  EXPECT_EQ(address_of_reverse("2.5.64.10.in-addr.arpa"), ip("10.64.5.2"));
  for (const char* text :
       {"", ".", "in-addr.arpa", "5.64.10.in-addr.arpa", "256.5.64.10.in-addr.arpa", "x.5.64.10.in-addr.arpa",
        "1.2.5.64.10.in-addr.arpa", ".5.64.10.in-addr.arpa", "1.2.ip6.arpa", "web"})
    EXPECT_FALSE(address_of_reverse(text)) << text;
}

}  // namespace
}  // namespace gantry::network
