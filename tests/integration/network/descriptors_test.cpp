#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "lab.h"

namespace gantry::network {
namespace {

using namespace lab;

// libnftables waits with select(), which ends the process on a descriptor above 1023.
TEST(Network, WorksWithThousandsOfDescriptors) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  auto before = limit;
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  PlayHost host;
  Daemon daemon(fresh_instance());
  std::vector<Fd> many;
  for (int i = 0; i < 1500; ++i) many.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(many.back()) << "the limit of open files is too low here";
  Space web(true);
  auto id = daemon.add("default", web, {"web"});
  std::vector<PublishedPort> ports{{.host_port = 8080, .container_port = 80}};
  daemon.wait(daemon.manager().publish(id, ports));
  Server server(&web, 80, false);
  EXPECT_TRUE(reaches(nullptr, "127.0.0.1", 8080));
  daemon.wait(daemon.manager().unplug(id));
  many.clear();
  setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace gantry::network
