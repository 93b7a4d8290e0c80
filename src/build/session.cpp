#include "session.h"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "gantry/base/error.h"
#include "gantry/base/log.h"
#include "gantry/ignore/ignore_file.h"
#include "gantry/oci/passwd.h"
#include "gantry/oci/reference.h"
#include "layer/copy_step.h"
#include "layer/key.h"
#include "layer/run_upper.h"

namespace gantry::build {

namespace fs = std::filesystem;

namespace {

// Bump when the same step would make another layer than before.
constexpr auto kKeyVersion = "gantry-build-1";

// With less than this, or a hundredth of the disk, left, a failing command is taken to have failed for it.
constexpr std::uint64_t kReserve = 16u << 20;

// A file of the context as the context has it: links lead nowhere else.
std::optional<std::string> context_file(const TreeView& context, const std::string& path) {
  auto found = context.resolve(path, true);
  if (!found.node || !S_ISREG(found.node->status.st_mode)) return std::nullopt;
  Fd fd = reopen(*found.node, O_RDONLY);
  return read_to_end(fd.get(), path);
}

KeyBuilder key_of(const std::vector<std::string>& layers, std::string_view kind) {
  KeyBuilder key;
  key.add(kKeyVersion).add(layers).add(kind);
  return key;
}

}  // namespace

Session::Session(image::ImageStore& images, LayerCache& cache, fs::path scratch, fs::path context, Options options)
    : images_(images),
      cache_(cache),
      context_(std::move(context)),
      options_(std::move(options)),
      scratch_root_(std::move(scratch)) {}

std::string Session::read_dockerfile(const TreeView& context) const {
  if (options_.dockerfile_text) return *options_.dockerfile_text;
  if (auto text = context_file(context, options_.dockerfile)) return *text;
  throw Error(ErrorKind::not_found, "\"" + options_.dockerfile + "\" is not in the build context",
              "name the Dockerfile with --file");
}

void Session::read_rules(const TreeView& context) {
  for (const auto& name : {options_.dockerfile + ".dockerignore", std::string(".dockerignore")}) {
    auto text = context_file(context, name);
    if (!text) continue;
    auto rules = ignore::IgnoreFile::parse(*text, name);
    included_.emplace();
    ignore::walk_context(context_, rules, [&](const ignore::ContextEntry& entry) { included_->insert(entry.path); });
    return;
  }
}

void Session::prepare() {
  for (const auto& tag : options_.tags) oci::Reference::parse(tag);
  TreeView context({context_});
  auto file = parse_dockerfile(read_dockerfile(context), options_.dockerfile);
  lease_ = images_.lease();
  plan_ = make_plan(file, options_, Platform::current(),
                    [this](const std::string& reference) { return images_.resolve(reference); });
  hold_images();
  read_rules(context);
  check_sources();
  scratch_.emplace(scratch_root_, "build-");
}

void Session::hold_images() {
  for (const auto& stage : plan_.stages) {
    for (const auto& diff_id : stage.base_layers) images_.hold(*lease_, diff_id);
    for (const auto& step : stage.steps)
      if (step.copy && step.copy->from_image)
        for (const auto& diff_id : step.copy->from_image->layers) images_.hold(*lease_, diff_id);
  }
}

TreeView Session::context_view() const {
  if (!included_) return TreeView({context_});
  return TreeView({context_}, [this](const std::string& path) { return included_->contains(path); });
}

// What stages will hold is not known yet; everything else a step takes must be there before the first one runs.
void Session::check_sources() const {
  std::vector<Finding> findings;
  for (const auto& stage : plan_.stages)
    for (const auto& step : stage.steps)
      if (step.copy && !step.copy->from_stage)
        find_sources(step.copy->sources, source_view(*step.copy), source_name(*step.copy), findings);
  if (!findings.empty())
    throw Error(ErrorKind::invalid, options_.dockerfile + " cannot be built", std::move(findings),
                "correct the places named, and look at .dockerignore");
}

TreeView Session::source_view(const CopyPlan& copy) const {
  if (copy.from_image) return TreeView(paths_of(copy.from_image->layers));
  if (copy.from_stage) return TreeView(paths_of(progress_.at(*copy.from_stage).layers));
  return context_view();
}

std::string Session::source_name(const CopyPlan& copy) const {
  if (copy.from_image || copy.from_stage) return "what --from names";
  return included_ ? "the build context, or .dockerignore leaves it out" : "the build context";
}

std::vector<fs::path> Session::paths_of(const std::vector<std::string>& diff_ids) const {
  std::vector<fs::path> out;
  for (const auto& diff_id : diff_ids) out.push_back(images_.layer_path(diff_id));
  return out;
}

Session::Progress& Session::progress_of(const PlannedStage& stage) {
  auto [found, fresh] = progress_.try_emplace(stage.index);
  if (!fresh) return found->second;
  found->second =
      stage.base_stage ? progress_.at(*stage.base_stage) : Progress{stage.base_layers, stage.config.history};
  return found->second;
}

std::string Session::created() const {
  if (!plan_.source_date_epoch) return to_rfc3339(now());
  return to_rfc3339(Timestamp(std::chrono::seconds(*plan_.source_date_epoch)));
}

void Session::record(const PlannedStage& stage, const PlannedStep& step, bool layer) {
  auto& progress = progress_of(stage);
  bool from = step.history.empty();
  if (from) return;
  oci::History entry;
  entry.created = created();
  entry.created_by = step.history;
  if (!layer) entry.empty_layer = true;
  progress.history.push_back(std::move(entry));
}

bool Session::from_cache(const PlannedStage& stage, const PlannedStep& step, const std::string& key) {
  if (options_.no_cache) return false;
  auto diff_id = cache_.find(key, *lease_);
  if (!diff_id) return false;
  progress_of(stage).layers.push_back(*diff_id);
  record(stage, step, true);
  return true;
}

Session::Work Session::new_work(const std::vector<std::string>& layers) {
  Work work{scratch_->path() / random_hex(8)};
  make_directories(work.directory, 0700);
  if (layers.empty()) {
    make_upper(work.upper(), nullptr);
  } else {
    TreeView view(paths_of(layers));
    make_upper(work.upper(), &view);
  }
  make_directories(work.work(), 0700);
  return work;
}

void Session::drop(const Work& work) { remove_tree(work.directory); }

void Session::take_layer(const PlannedStage& stage, const PlannedStep& step, const std::string& key, const Work& work) {
  auto diff_id = images_.commit_layer(work.upper(), {}, lease_.get());
  made_.push_back(diff_id);
  cache_.remember(key, diff_id);
  progress_of(stage).layers.push_back(diff_id);
  record(stage, step, true);
  drop(work);
}

Session::Prepared Session::begin(const PlannedStage& stage, const PlannedStep& step) {
  if (step.copy) return begin_copy(stage, step);
  if (step.directory) return begin_directory(stage, step);
  return begin_run(stage, step);
}

Session::Prepared Session::begin_copy(const PlannedStage& stage, const PlannedStep& step) {
  const auto& copy = *step.copy;
  auto layers = progress_of(stage).layers;
  auto source = source_view(copy);
  std::vector<Finding> findings;
  auto matches = find_sources(copy.sources, source, source_name(copy), findings);
  if (!findings.empty()) throw Error(ErrorKind::invalid, findings.front().message, std::move(findings));
  bool from_context = !copy.from_image && !copy.from_stage;
  auto key = key_of(layers, copy.extract_archives ? "add" : "copy");
  key.add(copy.destination).add(copy.owner).add(copy.mode ? std::to_string(*copy.mode) : "");
  key.add(digest_of(matches, source, !from_context));
  for (const auto& file : copy.files) key.add(file.name).add(file.content);
  Prepared out;
  out.key = key.finish();
  out.cached = from_cache(stage, step, out.key);
  if (out.cached) return out;
  auto work = new_work(layers);
  auto all = paths_of(layers);
  all.push_back(work.upper());
  TreeView target(all);
  Look look;
  look.time = plan_.source_date_epoch;
  look.mode = copy.mode;
  if (from_context) look.owner = oci::Owner{};
  if (!copy.owner.empty()) {
    look.owner = oci::find_owner(target.read("/etc/passwd"), target.read("/etc/group"), copy.owner);
    look.parent_owner = *look.owner;
  }
  copy_into(copy, matches, source, target, work.upper(), work.work(), look);
  take_layer(stage, step, out.key, work);
  return out;
}

Session::Prepared Session::begin_directory(const PlannedStage& stage, const PlannedStep& step) {
  const auto& directory = *step.directory;
  auto layers = progress_of(stage).layers;
  Prepared out;
  if (directory.path == "/") return record(stage, step, false), out;
  if (!layers.empty()) {
    auto found = TreeView(paths_of(layers)).resolve(directory.path, true);
    if (found.node && !found.node->is_directory())
      throw Error(ErrorKind::conflict, "\"" + directory.path + "\" is a file in the image");
    if (found.node) return record(stage, step, false), out;
  }
  out.key = key_of(layers, "workdir").add(directory.path).add(directory.user).finish();
  out.cached = from_cache(stage, step, out.key);
  if (out.cached) return out;
  auto work = new_work(layers);
  auto all = paths_of(layers);
  all.push_back(work.upper());
  TreeView target(all);
  auto user = oci::find_user(target.read("/etc/passwd"), target.read("/etc/group"), directory.user);
  Look look;
  look.time = plan_.source_date_epoch;
  look.parent_owner = {user.uid, user.gid};
  auto found = target.resolve(directory.path, true);
  found.path.insert(found.path.end(), found.missing.begin(), found.missing.end());
  UpperWriter(work.upper(), target, look).make_directory(found.path);
  take_layer(stage, step, out.key, work);
  return out;
}

Session::Prepared Session::begin_run(const PlannedStage& stage, const PlannedStep& step) {
  const auto& run = *step.run;
  auto layers = progress_of(stage).layers;
  Prepared out;
  out.key = key_of(layers, "run")
                .add(run.argv)
                .add(run.script)
                .add(run.key_environment)
                .add(run.user)
                .add(run.working_dir)
                .finish();
  out.cached = from_cache(stage, step, out.key);
  if (out.cached) return out;
  work_ = new_work(layers);
  RunRequest request{layers, work_->upper(), work_->work(), run.argv, run.environment, run.user, run.working_dir};
  if (!run.script.empty()) request.argv = {"/" + place_script(work_->upper(), run.script)};
  out.run = std::move(request);
  return out;
}

void Session::finish_run(const PlannedStage& stage, const PlannedStep& step, const std::string& key) {
  auto work = *work_;
  remove_script(work.upper());
  const auto& layers = progress_of(stage).layers;
  if (layers.empty()) {
    remove_mount_points(work.upper(), nullptr);
  } else {
    TreeView below(paths_of(layers));
    remove_mount_points(work.upper(), &below);
  }
  take_layer(stage, step, key, work);
  work_.reset();
}

image::ImageInfo Session::commit() {
  const auto& last = plan_.stages.back();
  auto& progress = progress_of(last);
  auto config = last.config;
  config.history = progress.history;
  config.created = created();
  auto first = options_.tags.empty() ? std::string() : options_.tags.front();
  auto info = images_.commit_image(progress.layers, std::move(config), first);
  for (std::size_t i = 1; i < options_.tags.size(); ++i) images_.tag(info.id, options_.tags[i]);
  return images_.resolve(info.id);
}

bool Session::disk_is_full() const {
  struct statvfs info {};
  if (::statvfs(scratch_root_.c_str(), &info) < 0) throw_errno("inspect " + scratch_root_.string());
  return info.f_bavail < std::min<std::uint64_t>(info.f_blocks / 100, kReserve / info.f_frsize);
}

Error Session::command_failure(int code) const {
  auto message = "the command ended with exit code " + std::to_string(code);
  if (disk_is_full()) return {ErrorKind::exhausted, message + ", and the disk is full"};
  return {ErrorKind::invalid, message, "its output says why"};
}

void Session::discard(const Error* failure) noexcept {
  try {
    scratch_.reset();
    lease_.reset();
    if (failure != nullptr && failure->kind() == ErrorKind::exhausted) images_.discard_layers(made_);
  } catch (...) {
    log::error("clearing up after a build: {}", to_error(std::current_exception()).message());
  }
}

}  // namespace gantry::build
