#include "session.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "gantry/base/error.h"
#include "gantry/base/log.h"
#include "gantry/ignore/ignore_file.h"
#include "gantry/oci/passwd.h"
#include "gantry/oci/reference.h"
#include "layer/clamp_times.h"
#include "layer/copy_step.h"
#include "layer/excludes.h"
#include "layer/linked_layer.h"
#include "layer/upper_writer.h"
#include "plan/platforms.h"

namespace gantry::build {

namespace fs = std::filesystem;

namespace {

// Bump when the same step would make another layer than before.
constexpr auto kKeyVersion = "gantry-build-2";

// With less than this, or a hundredth of the disk, left, a failing command is taken to have failed for it.
constexpr std::uint64_t kReserve = 16u << 20;

// A file of the context as the context has it: links lead nowhere else.
std::optional<std::string> context_file(const TreeView& context, const std::string& path) {
  auto found = context.resolve(path, true);
  if (!found.node || !S_ISREG(found.node->status.st_mode)) return std::nullopt;
  Fd fd = reopen(*found.node, O_RDONLY);
  return read_to_end(fd.get(), path);
}

}  // namespace

Session::Session(image::ImageStore& images, LayerCache& cache, Places places, fs::path context, Options options)
    : images_(images),
      cache_(cache),
      context_(std::move(context)),
      options_(std::move(options)),
      places_(std::move(places)) {}

// A layer whose times were clamped is another one.
KeyBuilder Session::key_of(const std::vector<std::string>& layers, std::string_view kind) const {
  KeyBuilder key;
  key.add(kKeyVersion).add(layers).add(kind);
  if (plan_.source_date_epoch) key.add("epoch").add(std::to_string(*plan_.source_date_epoch));
  return key;
}

bool Session::uses_cache(const PlannedStage& stage) const {
  const auto& filter = options_.no_cache_filter;
  return !options_.no_cache && std::find(filter.begin(), filter.end(), stage.name) == filter.end();
}

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

std::vector<Session::NamedImage> Session::images_named() {
  TreeView context({context_});
  auto file = parse_dockerfile(read_dockerfile(context), options_.dockerfile);
  std::vector<NamedImage> names;
  auto note = [&](const std::string& reference, const Platform& platform) {
    auto same = [&](const auto& one) { return one.reference == reference; };
    if (std::none_of(names.begin(), names.end(), same))
      names.push_back({reference, is_for(Platform::current(), platform) ? "" : platform.str()});
    return images_.resolve(reference);
  };
  try {
    make_plan(file, options_, Platform::current(), note);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid && error.kind() != ErrorKind::not_found) throw;
    // What is wrong is told by `prepare`, when the images that can be got are here.
  }
  return names;
}

void Session::prepare() {
  for (const auto& tag : options_.tags) oci::Reference::parse(tag);
  TreeView context({context_});
  auto text = read_dockerfile(context);
  dockerfile_digest_ = oci::Digest::of(text).str();
  auto file = parse_dockerfile(text, options_.dockerfile);
  lease_ = images_.lease();
  plan_ = make_plan(file, options_, Platform::current(), [this](const std::string& reference, const Platform&) {
    auto image = images_.resolve(reference);
    images_.touch(image.id);
    return bases_[reference] = std::move(image);
  });
  hold_images();
  read_rules(context);
  check_sources();
  scratch_.emplace(places_.scratch, "build-");
  for (const auto& stage : plan_.stages) progress_.try_emplace(stage.index);
}

void Session::hold_images() {
  for (const auto& stage : plan_.stages) {
    for (const auto& diff_id : stage.base_layers) images_.hold(*lease_, diff_id);
    for (const auto& step : stage.steps) {
      if (step.copy) hold_image(step.copy->from);
      if (step.run)
        for (const auto& mount : step.run->mounts) hold_image(mount.from);
    }
  }
}

void Session::hold_image(const Origin& from) {
  if (!from.image) return;
  for (const auto& diff_id : from.image->layers) images_.hold(*lease_, diff_id);
}

TreeView Session::context_view() const {
  if (!included_) return TreeView({context_});
  return TreeView({context_}, [this](const std::string& path) { return included_->contains(path); });
}

// What stages will hold is not known yet; everything else a step takes must be there before the first one runs.
void Session::check_sources() const {
  std::vector<Finding> findings;
  for (const auto& stage : plan_.stages)
    for (const auto& step : stage.steps) {
      if (step.copy && !step.copy->from.stage)
        find_sources(step.copy->sources, source_view(step.copy->from), source_name(step.copy->from), findings);
      if (!step.run) continue;
      for (const auto& mount : step.run->mounts)
        if (mount.has_source() && !mount.from.stage)
          find_sources({mount.source}, source_view(mount.from), source_name(mount.from), findings);
    }
  if (!findings.empty())
    throw Error(ErrorKind::invalid, options_.dockerfile + " cannot be built", std::move(findings),
                "correct the places named, and look at .dockerignore");
}

TreeView Session::source_view(const Origin& from) const {
  if (from.image) return TreeView(paths_of(from.image->layers));
  if (from.stage) return TreeView(paths_of(progress_.at(*from.stage).layers));
  return context_view();
}

// Takes away what --exclude names: files that were named themselves, and what is below the directories.
TreeView Session::source_view(const CopyPlan& copy, std::vector<SourceMatch>& matches) const {
  Excludes excludes(copy.excludes);
  if (excludes.empty()) return source_view(copy.from);
  std::erase_if(matches, [&](const auto& match) { return !match.directory && excludes.match(match.name); });
  auto whole = source_view(copy.from);
  std::map<std::string, std::set<std::string>> kept;  // by the directory with a slash behind it
  for (const auto& match : matches)
    if (match.directory)
      kept[match.path.empty() ? "" : match.path + "/"] = excludes.kept(whole, open_match(whole, match), match.path);
  auto visible = [kept, included = copy.from.is_context() ? included_ : std::nullopt](const std::string& path) {
    if (included && !included->contains(path)) return false;
    return std::all_of(kept.begin(), kept.end(), [&](const auto& root) {
      bool below = path.size() > root.first.size() && path.starts_with(root.first);
      return !below || root.second.contains(path.substr(root.first.size()));
    });
  };
  if (copy.from.image) return TreeView(paths_of(copy.from.image->layers), visible);
  if (copy.from.stage) return TreeView(paths_of(progress_.at(*copy.from.stage).layers), visible);
  return TreeView({context_}, visible);
}

std::string Session::source_name(const Origin& from) const {
  if (!from.is_context()) return "what --from names";
  return included_ ? "the build context, or .dockerignore leaves it out" : "the build context";
}

fs::path Session::agent() const {
  if (!options_.grants) return {};
  auto found = options_.grants->agents.find("default");
  return found == options_.grants->agents.end() ? fs::path() : found->second;
}

fs::path Session::place_for(const RemoteFile& file) {
  auto directory = scratch_->path() / ("fetch-" + random_hex(8));
  make_directories(directory, 0700);
  return directory / (file.name.empty() ? "file" : "f");
}

void Session::checked_out(const RemoteFile& file, const GitTree& tree) {
  if (!file.checksum.empty() && !tree.commit.starts_with(file.checksum)) {
    std::string message = "\"" + file.url + "\" is commit " + tree.commit + ", not " + file.checksum;
    throw Error(ErrorKind::invalid, message, {{file.place, message}},
                "correct --checksum, if the new content is wanted");
  }
  std::lock_guard lock(mutex_);
  fetched_[file.url] = {tree.root, tree.commit + (file.keep_git ? " with .git" : "")};
}

void Session::fetched(const RemoteFile& file, const fs::path& path) {
  Fd fd = open_file(path.string(), O_RDONLY);
  oci::Hasher hasher;
  std::string buffer(256u << 10, '\0');
  for (;;) {
    ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("read what was fetched from " + file.url);
    if (n == 0) break;
    hasher.update({buffer.data(), static_cast<std::size_t>(n)});
  }
  auto digest = hasher.finish().str();
  if (!file.checksum.empty() && digest != file.checksum) {
    std::string message = "what " + file.url + " gives has the digest " + digest + ", not " + file.checksum;
    throw Error(ErrorKind::invalid, message, {{file.place, message}},
                "correct --checksum, if the new content is wanted");
  }
  if (::fchmod(fd.get(), 0600) < 0) throw_errno("set the mode of what was fetched");
  std::lock_guard lock(mutex_);
  fetched_[file.url] = {path, digest};
}

std::optional<Session::Fetched> Session::fetched_from(const std::string& url) const {
  std::lock_guard lock(mutex_);
  auto found = fetched_.find(url);
  return found == fetched_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<fs::path> Session::paths_of(const std::vector<std::string>& diff_ids) const {
  std::vector<fs::path> out;
  for (const auto& diff_id : diff_ids) out.push_back(images_.layer_path(diff_id));
  return out;
}

Session::Progress& Session::progress_of(const PlannedStage& stage) {
  auto& own = progress_.at(stage.index);
  if (std::exchange(own.begun, true)) return own;
  if (stage.base_stage) {
    const auto& base = progress_.at(*stage.base_stage);
    own.layers = base.layers;
    own.history = base.history;
    own.created = base.created;
  } else {
    own.layers = stage.base_layers;
    own.history = stage.config.history;
    own.created = stage.config.created.value_or("");
  }
  return own;
}

std::string Session::created_now() const {
  if (!plan_.source_date_epoch) return to_rfc3339(now());
  return to_rfc3339(Timestamp(std::chrono::seconds(*plan_.source_date_epoch)));
}

// A step that makes no layer is as old as what is below it: the same build from the cache is the same image.
void Session::record(const PlannedStage& stage, const PlannedStep& step, bool layer) {
  auto& progress = progress_of(stage);
  bool from = step.history.empty();
  if (from) return;
  if (progress.created.empty() || plan_.source_date_epoch) progress.created = created_now();
  oci::History entry;
  entry.created = progress.created;
  entry.created_by = step.history;
  if (!layer) entry.empty_layer = true;
  progress.history.push_back(std::move(entry));
}

bool Session::from_cache(const PlannedStage& stage, const PlannedStep& step, const std::string& key) {
  if (!uses_cache(stage)) return false;
  auto hit = cache_.find(key, *lease_);
  if (!hit) return false;
  auto& progress = progress_of(stage);
  progress.layers.push_back(hit->diff_id);
  if (!hit->created.empty()) progress.created = hit->created;
  record(stage, step, true);
  {
    std::lock_guard lock(mutex_);
    steps_.push_back({key, hit->diff_id, hit->created});
  }
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
  if (plan_.source_date_epoch) clamp_times(work.upper(), *plan_.source_date_epoch);
  LayerCache::Hit made{images_.commit_layer(work.upper(), {}, lease_.get()), created_now()};
  if (uses_cache(stage)) {
    made = cache_.settle(key, made, *lease_);
  } else {
    cache_.remember(key, made);
  }
  auto& progress = progress_of(stage);
  progress.created = made.created;
  progress.layers.push_back(made.diff_id);
  record(stage, step, true);
  {
    std::lock_guard lock(mutex_);
    made_.push_back(made.diff_id);
    steps_.push_back({key, made.diff_id, made.created});
  }
  drop(work);
}

Session::Prepared Session::begin(const PlannedStage& stage, const PlannedStep& step) {
  if (step.copy) return begin_copy(stage, step);
  if (step.directory) return begin_directory(stage, step);
  return begin_run(stage, step);
}

// What has a checksum is known without its content, and only fetched when the cache does not have the step.
Session::Prepared Session::fetch_first(const CopyPlan& copy, bool checked) const {
  Prepared out;
  for (const auto& file : copy.remote)
    if ((checked || file.checksum.empty() || file.git) && !fetched_from(file.url)) out.fetch.push_back(file);
  return out;
}

oci::Owner Session::owner_of(const CopyPlan& copy, const TreeView& image) const {
  return oci::find_owner(image.read("/etc/passwd"), image.read("/etc/group"), copy.owner);
}

std::string Session::key_of_copy(const CopyPlan& copy, const std::vector<SourceMatch>& matches, const TreeView& source,
                                 const std::vector<std::string>& below) const {
  auto key = key_of(copy.link ? std::vector<std::string>() : below, copy.extract_archives ? "add" : "copy");
  key.add(copy.destination).add(copy.owner).add(copy.mode ? copy.mode->text() : "");
  key.add(digest_of(matches, source, !copy.from.is_context()));
  for (const auto& file : copy.files) key.add(file.name).add(file.content);
  if (copy.parents)
    for (const auto& match : matches) key.add("parents").add(match.kept);
  for (const auto& file : copy.remote) {
    key.add(file.git ? "git" : "url").add(file.git ? file.git->directory : file.name);
    key.add(file.checksum.empty() || file.git ? fetched_from(file.url)->digest : file.checksum);
  }
  if (copy.extract_remote) key.add("unpack");
  if (copy.link) add_link(key, copy, below);
  return key.finish();
}

// What a layer for itself takes from those below all the same: who names mean, and how the directories on its way look,
// which it would otherwise change.
void Session::add_link(KeyBuilder& key, const CopyPlan& copy, const std::vector<std::string>& below) const {
  key.add("link");
  if (below.empty()) return;
  TreeView image(paths_of(below));
  if (!copy.owner.empty()) {
    auto owner = owner_of(copy, image);
    key.add(std::to_string(owner.uid)).add(std::to_string(owner.gid));
  }
  for (const auto& [path, status] : directories_to(image, copy.destination))
    key.add(path)
        .add(std::to_string(status.st_mode))
        .add(std::to_string(status.st_uid) + ":" + std::to_string(status.st_gid));
}

Session::Prepared Session::begin_copy(const PlannedStage& stage, const PlannedStep& step) {
  const auto& copy = *step.copy;
  if (auto first = fetch_first(copy, false); !first.fetch.empty()) return first;
  auto layers = progress_of(stage).layers;
  std::vector<Finding> findings;
  auto matches = find_sources(copy.sources, source_view(copy.from), source_name(copy.from), findings);
  if (!findings.empty()) throw Error(ErrorKind::invalid, findings.front().message, std::move(findings));
  auto source = source_view(copy, matches);
  Prepared out;
  out.key = key_of_copy(copy, matches, source, layers);
  out.cached = from_cache(stage, step, out.key);
  if (out.cached) return out;
  if (auto first = fetch_first(copy, true); !first.fetch.empty()) return first;
  auto work = new_work(copy.link ? std::vector<std::string>() : layers);
  auto all = paths_of(layers);
  all.push_back(work.upper());
  TreeView image(all);
  Look look;
  look.time = plan_.source_date_epoch;
  look.mode = copy.mode;
  if (copy.from.is_context()) look.owner = oci::Owner{};
  if (!copy.owner.empty()) look.parent_owner = *(look.owner = owner_of(copy, image));
  std::vector<FetchedFile> remote;
  for (const auto& file : copy.remote)
    remote.push_back({file.name, fetched_from(file.url)->path, file.git.has_value()});
  if (copy.link) {
    TreeView alone({work.upper()});
    copy_into(copy, matches, source, alone, work.upper(), work.work(), look, remote);
    if (!layers.empty()) dress_directories(work.upper(), TreeView(paths_of(layers)), copy.destination);
  } else {
    copy_into(copy, matches, source, image, work.upper(), work.work(), look, remote);
  }
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

image::ImageInfo Session::commit() {
  const auto& last = plan_.stages.back();
  auto& progress = progress_of(last);
  auto config = last.config;
  config.history = progress.history;
  config.created = progress.created.empty() ? created_now() : progress.created;
  // Bases bring the labels of their own builds along.
  config.config.Labels.erase("gantry.build.cache");
  if (options_.cache_inline) write_cache_label(config, progress.layers, steps_);
  auto first = options_.tags.empty() ? std::string() : options_.tags.front();
  auto info = images_.commit_image(progress.layers, std::move(config), first);
  for (std::size_t i = 1; i < options_.tags.size(); ++i) images_.tag(info.id, options_.tags[i]);
  if (!options_.cache_to.empty()) export_cache(last.config);
  return images_.resolve(info.id);
}

// No image to run: the layers of all stages, one beside the other.
void Session::export_cache(oci::ImageConfig config) {
  std::vector<std::string> layers;
  auto add = [&](const std::string& layer) {
    if (std::find(layers.begin(), layers.end(), layer) == layers.end()) layers.push_back(layer);
  };
  for (const auto& stage : plan_.stages)
    for (const auto& layer : progress_of(stage).layers) add(layer);
  oci::ImageConfig out;
  out.architecture = config.architecture;
  out.os = config.os;
  out.created = created_now();
  write_cache_label(out, layers, steps_);
  images_.commit_image(layers, std::move(out), options_.cache_to);
}

bool Session::import_cache(const std::string& reference) {
  auto image = images_.resolve(reference);
  auto steps = read_cache_label(image.config, image.layers);
  for (const auto& step : steps) cache_.remember(step.key, {step.diff_id, step.created});
  return !steps.empty();
}

Provenance Session::provenance() const {
  Provenance out;
  out.source = options_.source;
  out.dockerfile = options_.dockerfile;
  out.dockerfile_digest = dockerfile_digest_;
  out.target = options_.target;
  out.platform = plan_.stages.back().platform.str();
  for (const auto& [reference, image] : bases_) out.bases.push_back({reference, image.id, image.digest});
  out.built = to_rfc3339(now());
  return out;
}

bool Session::disk_is_full() const {
  struct statvfs info {};
  if (::statvfs(places_.scratch.c_str(), &info) < 0) throw_errno("inspect " + places_.scratch.string());
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
    memory_.reset();
    lease_.reset();
    if (failure != nullptr && failure->kind() == ErrorKind::exhausted) images_.discard_layers(made_);
  } catch (...) {
    log::error("clearing up after a build: {}", to_error(std::current_exception()).message());
  }
}

}  // namespace gantry::build
