#include "layer_view.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "gantry/base/files.h"

namespace gantry::engine {
namespace {

namespace fs = std::filesystem;

class LayerViewTest : public testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    auto file = directory_.path() / path;
    make_directories(file.parent_path());
    write_file(file, text, 0644);
  }
  LayerView view() { return LayerView({directory_.path() / "low", directory_.path() / "high"}); }

  TemporaryDirectory directory_{"/tmp", "gantry-layers-"};
};

TEST_F(LayerViewTest, TheUpperLayerWins) {
  put("low/etc/passwd", "old");
  put("high/etc/passwd", "new");
  put("low/etc/group", "group");
  EXPECT_EQ(view().read("/etc/passwd"), "new");
  EXPECT_EQ(view().read("/etc/group"), "group");
  EXPECT_FALSE(view().read("/etc/none"));
}

TEST_F(LayerViewTest, LinksStayInside) {
  put("low/usr/etc/passwd", "inside");
  fs::create_directory_symlink("/usr/etc", directory_.path() / "low/etc");
  EXPECT_EQ(view().read("/etc/passwd"), "inside");
  fs::create_symlink("../../../../../../etc/hostname", directory_.path() / "low/usr/etc/out");
  EXPECT_FALSE(view().read("/etc/out"));
  fs::create_symlink("loop", directory_.path() / "low/loop");
  EXPECT_FALSE(view().read("/loop"));
}

TEST_F(LayerViewTest, CopiesTheMergedDirectory) {
  put("low/data/a", "low a");
  put("low/data/sub/b", "low b");
  put("high/data/a", "high a");
  put("high/data/c", "high c");
  ::chmod((directory_.path() / "high/data").c_str(), 0751);
  auto target = directory_.path() / "target";
  fs::create_directory(target);
  EXPECT_TRUE(view().copy_directory("/data", target));
  EXPECT_EQ(read_file(target / "a"), "high a");
  EXPECT_EQ(read_file(target / "sub/b"), "low b");
  EXPECT_EQ(read_file(target / "c"), "high c");
  EXPECT_EQ(static_cast<unsigned>(fs::status(target).permissions()), 0751u);
  EXPECT_FALSE(view().copy_directory("/nothing", target));
}

}  // namespace
}  // namespace gantry::engine
