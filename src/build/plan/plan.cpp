#include "plan/plan.h"

#include <algorithm>
#include <charconv>

#include "dockerfile/expand.h"
#include "dockerfile/suggest.h"
#include "plan/platforms.h"
#include "plan/stage_planner.h"
#include "plan/variables.h"

namespace gantry::build {

namespace {

class Planner {
 public:
  Planner(const Dockerfile& file, const Options& options, const Platform& platform, const FindImage& find_image)
      : file_(file),
        options_(options),
        platform_(platform),
        find_image_(find_image),
        arguments_(options, platform, options.target) {}

  Plan run() {
    plan_.notes = file_.notes;
    for (const auto& in : file_.globals) declare(in);
    auto target = target_index();
    stage(target);
    if (!findings_.empty()) refuse();
    for (const auto& name : arguments_.unused())
      plan_.notes.push_back("build argument \"" + name + "\" is not used: no ARG of that name in the stages built");
    finish();
    return std::move(plan_);
  }

 private:
  void declare(const Instruction& in) {
    for (const auto& pair : in.pairs) {
      auto fallback = pair.value ? std::optional(expand(*pair.value)) : std::nullopt;
      arguments_.declare_global(pair.key.text, fallback);
    }
  }

  std::string expand(const Word& word) {
    try {
      return expand_word(
          word.text, [this](std::string_view name) { return arguments_.global(name); }, file_.escape);
    } catch (const Error& error) {
      findings_.push_back({word.place, error.message()});
      return {};
    }
  }

  std::size_t target_index() const {
    if (options_.target.empty()) return file_.stages.size() - 1;
    if (auto found = file_.find_stage(options_.target)) return *found;
    std::vector<std::string_view> names;
    for (const auto& stage : file_.stages) names.push_back(stage.name);
    throw Error(ErrorKind::not_found, "target stage \"" + options_.target + "\" is not in " + options_.dockerfile,
                "name one of its stages (FROM ... AS NAME)" + suggestion(options_.target, names));
  }

  // Stages are planned when they are first needed, so that the order of planning is the order of building.
  const StageState& stage(std::size_t index) {
    if (auto done = states_.find(index); done != states_.end()) return done->second;
    const Stage& written = file_.stages[index];
    PlannedStage planned;
    planned.index = index;
    planned.name = written.name;
    planned.platform = platform_of(written);
    PlannedStep from;
    from.text = written.text;
    from.place = written.place;
    StagePlanner planner(
        base_of(written, index, planned), arguments_, options_.grants.get(), find_image_,
        [this, index](const Word& name) { return copy_source(name, index); }, file_.escape, findings_);
    // Applying one may plan another stage, which has triggers of its own.
    auto triggers = std::move(triggers_);
    for (const auto& trigger : triggers) planner.apply(trigger);
    for (const auto& in : written.instructions) planner.apply(in);
    planned.steps.push_back(std::move(from));
    for (auto& step : planner.take_steps()) planned.steps.push_back(std::move(step));
    planned.config = planner.state().config;
    check_programs(planned);
    plan_.stages.push_back(std::move(planned));
    return states_[index] = planner.state();
  }

  std::optional<std::size_t> copy_source(const Word& name, std::size_t user) {
    auto found = file_.find_stage(name.text);
    if (!found || *found >= user) return std::nullopt;
    stage(*found);
    return found;
  }

  StageState base_of(const Stage& written, std::size_t index, PlannedStage& planned) {
    triggers_.clear();
    auto name = expand(written.base);
    StageState state;
    if (name.empty()) {
      findings_.push_back({written.base.place, "the base image \"" + written.base.text +
                                                   "\" is empty: an ARG before the "
                                                   "first FROM, or --build-arg, must give it a value"});
      return state;
    }
    auto earlier = file_.find_stage(name);
    bool is_name = !name.empty() && name.find_first_not_of("0123456789") != std::string::npos;
    if (is_name && earlier && *earlier < index) {
      state = stage(*earlier);
      planned.base_stage = earlier;
    } else if (name == "scratch") {
      state.config.architecture = planned.platform.architecture;
      state.config.os = planned.platform.os;
      if (!planned.platform.variant.empty()) state.config.variant = planned.platform.variant;
    } else {
      base_image(written, name, state, planned);
    }
    take_triggers(written, name, state);
    return state;
  }

  Platform platform_of(const Stage& written) {
    if (!written.platform) return arguments_.target();
    auto text = expand(*written.platform);
    try {
      return parse_platform(text, platform_);
    } catch (const Error& error) {
      findings_.push_back({written.platform->place, error.message() + ": " + error.fix()});
      return platform_;
    }
  }

  void base_image(const Stage& written, const std::string& name, StageState& state, PlannedStage& planned) {
    try {
      auto info = find_image_(name, planned.platform);
      check_platform(written, info, planned.platform);
      planned.base_layers = info.layers;
      state.config = std::move(info.config);
    } catch (const Error& error) {
      std::vector<std::string_view> names;
      for (const auto& stage : file_.stages) names.push_back(stage.name);
      findings_.push_back({written.base.place, error.message() + (error.fix().empty() ? "" : " (" + error.fix() + ")") +
                                                   suggestion(name, names)});
    }
  }

  void check_platform(const Stage& written, const image::ImageInfo& info, const Platform& wanted) {
    if (!written.platform && options_.platform.empty()) return;
    Platform has{info.config.os, info.config.architecture, info.config.variant.value_or("")};
    if (is_for(has, wanted)) return;
    auto place = written.platform ? written.platform->place : written.base.place;
    findings_.push_back({place, "the image \"" + written.base.text + "\" here is for " + has.str() + ", not for \"" +
                                    wanted.str() + "\""});
  }

  // Files of other platforms can be copied about; their programs need somebody who runs them.
  void check_programs(const PlannedStage& planned) {
    if (planned.platform.architecture.empty() || can_run(planned.platform, platform_)) return;
    for (const auto& step : planned.steps)
      if (step.run)
        findings_.push_back({step.place, "this machine (" + platform_.str() + ") does not run programs of " +
                                             planned.platform.str() +
                                             ": install qemu-user-static, or use FROM --platform=$BUILDPLATFORM"});
  }

  // Triggers run once, in the first build on top.
  void take_triggers(const Stage& written, const std::string& origin, StageState& state) {
    std::vector<Instruction> parsed;
    for (const auto& text : state.config.config.OnBuild) {
      try {
        auto trigger = parse_trigger(text, origin);
        trigger.place = written.base.place;
        parsed.push_back(std::move(trigger));
      } catch (const Error& error) {
        auto why = error.findings().empty() ? "" : ": " + error.findings()[0].message;
        findings_.push_back({written.base.place, error.message() + why});
      }
    }
    state.config.config.OnBuild.clear();
    triggers_ = std::move(parsed);
  }

  [[noreturn]] void refuse() {
    std::stable_sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
      return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
    });
    throw Error(ErrorKind::invalid, options_.dockerfile + " cannot be built", std::move(findings_),
                "correct the places named");
  }

  void finish() {
    for (auto& stage : plan_.stages)
      for (auto& step : stage.steps) step.number = ++plan_.step_count;
    for (const auto& [name, value] : options_.labels) plan_.stages.back().config.config.Labels[name] = value;
    auto epoch = options_.arguments.find("SOURCE_DATE_EPOCH");
    if (epoch == options_.arguments.end()) return;
    const auto& text = epoch->second;
    std::int64_t seconds = 0;
    auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    constexpr std::int64_t kYear9999 = 253402300799;
    if (failed != std::errc() || end != text.data() + text.size() || seconds < 0 || seconds > kYear9999)
      throw Error(ErrorKind::invalid, "build argument SOURCE_DATE_EPOCH \"" + text + "\" is not a number of seconds",
                  "give the seconds since 1970, as `git log -1 --format=%ct` prints them");
    plan_.source_date_epoch = seconds;
  }

  const Dockerfile& file_;
  const Options& options_;
  const Platform& platform_;
  const FindImage& find_image_;
  Arguments arguments_;
  std::vector<Finding> findings_;
  std::vector<Instruction> triggers_;  ///< of the base that was looked up last
  std::map<std::size_t, StageState> states_;
  Plan plan_;
};

}  // namespace

const PlannedStage& Plan::stage(std::size_t index) const {
  auto found = std::find_if(stages.begin(), stages.end(), [&](const auto& stage) { return stage.index == index; });
  if (found == stages.end()) throw Error(ErrorKind::internal, "stage " + std::to_string(index) + " is not planned");
  return *found;
}

Plan make_plan(const Dockerfile& file, const Options& options, const Platform& platform, const FindImage& find_image) {
  return Planner(file, options, platform, find_image).run();
}

}  // namespace gantry::build
