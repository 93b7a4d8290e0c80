#include "compose_fixture.h"

namespace gantry::compose {
namespace {

using Levels = std::vector<std::vector<std::string>>;

TEST(Examples, TheGuestbookIsReadFromDisk) {
  LoadOptions options;
  options.current_directory = std::filesystem::path(EXAMPLES) / "guestbook" / "app";  // found in the directory above
  auto loaded = load(options);
  EXPECT_TRUE(loaded.warnings.empty());
  EXPECT_EQ(loaded.stack.name, "guestbook");
  EXPECT_EQ(start_levels(loaded.stack), (Levels{{"cache", "db"}, {"app"}, {"web"}}));
  EXPECT_EQ(loaded.stack.services.at("app").build->context, std::filesystem::path(EXAMPLES) / "guestbook" / "app");
  EXPECT_TRUE(loaded.stack.services.at("web").init);
}

}  // namespace
}  // namespace gantry::compose
