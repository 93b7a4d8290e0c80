#include "fixture.h"
#include "gantry/base/json.h"

namespace gantry::engine {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class ImageOfContainer : public EngineTest, public testing::WithParamInterface<const char*> {
 protected:
  ContainerId running(ContainerSpec spec) {
    spec.runtime = GetParam();
    auto id = start(std::move(spec));
    EXPECT_TRUE(eventually([&] { return logs(id).find("ready") != std::string::npos; }));
    return id;
  }
  std::vector<std::string> changes(const ContainerId& id) {
    std::vector<std::string> out;
    run([&]() -> task<> {
      for (const auto& change : co_await engine().changes(id)) out.push_back(json::name_of(change.kind) + change.path);
    });
    return out;
  }
  image::ImageInfo commit(const ContainerId& id, CommitOptions options) {
    image::ImageInfo out;
    run([&]() -> task<> { out = co_await engine().commit(id, options); });
    return out;
  }
};

TEST_P(ImageOfContainer, ChangesAreWhatTheProgramDidAndNothingElse) {
  auto idle = running(shell("echo ready; sleep 60"));
  EXPECT_THAT(changes(idle), UnorderedElementsAre());
  auto id =
      running(shell("rm /data/seed; echo x > /srv/new; mkdir /srv/dir; echo y > /srv/dir/in; chmod 600 /bin/notexec;"
                    "rm -r /root; mkdir /root; echo ready; sleep 60"));
  EXPECT_THAT(changes(id),
              UnorderedElementsAre("modified/bin/notexec", "modified/data", "deleted/data/seed", "modified/root",
                                   "modified/srv", "added/srv/new", "added/srv/dir", "added/srv/dir/in"));
}

TEST_P(ImageOfContainer, ACommitRunsAsTheContainerDid) {
  auto spec = shell("rm /data/seed; echo kept > /srv/new; echo ready; sleep 60");
  spec.environment.push_back("COLOUR=blue");
  spec.labels["tier"] = "web";
  auto id = running(spec);
  CommitOptions options;
  options.reference = "mine:1";
  options.author = "somebody";
  options.comment = "with new";
  options.changes.push_back("CMD [\"/bin/cat\", \"/srv/new\"]");
  options.changes.push_back("LABEL more=yes");
  auto made = commit(id, options);
  EXPECT_THAT(made.references, Contains("mine:1"));
  EXPECT_EQ(made.layers.size(), 2u);
  EXPECT_EQ(made.config.author, "somebody");
  EXPECT_EQ(made.config.history.back().comment, "with new");
  EXPECT_THAT(made.config.config.Env, Contains("COLOUR=blue"));
  EXPECT_EQ(made.config.config.Labels.at("tier"), "web");
  EXPECT_EQ(made.config.config.Labels.at("more"), "yes");
  EXPECT_EQ(info(id).state, State::running);
  ContainerSpec again;
  again.image = "mine:1";
  EXPECT_EQ(output(again), "kept\n");
  again.command = std::vector<std::string>{"/bin/ls", "/data"};
  EXPECT_EQ(output(again), "");
  again.command = std::vector<std::string>{"/bin/ls", "/etc"};
  EXPECT_THAT(output(again), HasSubstr("passwd"));
  remove_all();
}

TEST_P(ImageOfContainer, AStoppedContainerIsCommittedToo) {
  auto spec = shell("echo kept > /srv/new");
  spec.runtime = GetParam();
  auto id = start(spec);
  wait(id);
  auto made = commit(id, {});
  EXPECT_TRUE(made.references.empty());
  CommitOptions wrong;
  wrong.changes.push_back("RUN true");
  EXPECT_EQ(refusal([&]() -> task<> { co_await engine().commit(id, wrong); }).kind(), ErrorKind::invalid);
  run([&]() -> task<> { co_await engine().start(id); });
  EXPECT_EQ(wait(id), 0);
}

INSTANTIATE_TEST_SUITE_P(Launchers, ImageOfContainer, testing::Values("native", "crun"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace gantry::engine
