#include "names.h"

#include <gtest/gtest.h>

#include <set>

#include "gantry/base/error.h"
#include "gantry/base/ids.h"
#include "signals.h"

namespace gantry::engine {
namespace {

TEST(Names, AreValidAndNotTaken) {
  std::set<std::string> used;
  for (int i = 0; i < 20000; ++i) {
    auto name = generate_name([&](const std::string& candidate) { return used.contains(candidate); });
    EXPECT_TRUE(is_valid_name(name)) << name;
    EXPECT_TRUE(used.insert(name).second);
  }
}

TEST(Signals, ByNameAndNumber) {
  EXPECT_EQ(signal_number("SIGTERM"), 15);
  EXPECT_EQ(signal_number("term"), 15);
  EXPECT_EQ(signal_number("9"), 9);
  EXPECT_EQ(signal_name(signal_number("RTMIN+3")), "SIGRTMIN+3");
  EXPECT_EQ(signal_name(15), "SIGTERM");
  for (const char* wrong : {"", "SIG", "SIGNOPE", "0", "-1", "65", "RTMIN+99", "15x"})
    EXPECT_THROW(signal_number(wrong), Error) << wrong;
}

}  // namespace
}  // namespace gantry::engine
