#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "plan/plan.h"
#include "plan/variables.h"

/// Instruction after instruction of one stage: changes its configuration, and notes what must be done. Private to the
/// planner.
namespace gantry::build {

/// What a stage hands to the stages that start from it.
struct StageState {
  oci::ImageConfig config;
  std::map<std::string, std::string> arguments;  ///< ARG, with a value
};

class StagePlanner {
 public:
  /// `stage_for` plans the stage that `--from` names and returns its index, or nullopt when it is an image.
  using StageFor = std::function<std::optional<std::size_t>(const Word& name)>;
  /// `grants` may be null: the client lends nothing.
  StagePlanner(StageState state, Arguments& arguments, const Grants* grants, const FindImage& find_image,
               StageFor stage_for, char escape, std::vector<Finding>& findings);

  void apply(const Instruction& instruction);
  std::vector<PlannedStep> take_steps() { return std::move(steps_); }
  const StageState& state() const { return state_; }

 private:
  using Handler = void (StagePlanner::*)(const Instruction&, PlannedStep&);
  static Handler handler_of(Keyword keyword);

  void arg(const Instruction&, PlannedStep&);
  void env(const Instruction&, PlannedStep&);
  void label(const Instruction&, PlannedStep&);
  void run(const Instruction&, PlannedStep&);
  void copy(const Instruction&, PlannedStep&);
  void workdir(const Instruction&, PlannedStep&);
  void user(const Instruction&, PlannedStep&);
  void expose(const Instruction&, PlannedStep&);
  void volume(const Instruction&, PlannedStep&);
  void cmd(const Instruction&, PlannedStep&);
  void entrypoint(const Instruction&, PlannedStep&);
  void healthcheck(const Instruction&, PlannedStep&);
  void stopsignal(const Instruction&, PlannedStep&);
  void shell(const Instruction&, PlannedStep&);
  void onbuild(const Instruction&, PlannedStep&);
  void maintainer(const Instruction&, PlannedStep&);

  void copy_flags(const Instruction&, CopyPlan&);
  void copy_words(const Instruction&, CopyPlan&);
  Origin origin_of(const Word& name);
  void run_mount(const Flag& flag, RunPlan& plan);
  void lent_mount(const Flag& flag, MountPlan mount, RunPlan& plan);
  void remote_source(const Instruction&, const Word& word, CopyPlan&);
  bool switched_on(const Instruction&, std::string_view flag) const;
  RunPlan run_plan() const;
  std::vector<std::string> shell_words() const;
  std::vector<std::string> command(const Instruction&) const;
  std::string absolute(const std::string& path) const;
  std::optional<std::string> lookup(std::string_view name) const;
  std::string expand(const Word& word);
  void report(const SourcePlace& place, std::string message);

  StageState state_;
  Arguments& arguments_;
  const Grants* grants_;
  const FindImage& find_image_;
  StageFor stage_for_;
  char escape_;
  std::vector<Finding>& findings_;
  std::vector<PlannedStep> steps_;
  bool own_cmd_ = false;
};

}  // namespace gantry::build
