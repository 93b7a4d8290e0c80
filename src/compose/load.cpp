#include <algorithm>
#include <set>

#include "check.h"
#include "extends.h"
#include "gantry/base/text.h"
#include "gantry/compose/compose.h"
#include "locate.h"
#include "merge.h"
#include "project.h"
#include "resources.h"
#include "service.h"

namespace gantry::compose {

namespace fs = std::filesystem;

namespace {

void read_services(const Value& value, Stack& stack) {
  if (!value.node().is_mapping()) return value.wrong_type("a mapping");
  for (const auto& entry : value.node().entries) stack.services[entry.key] = read_service(value.at(entry), entry.key);
}

void read_version(const Value& value, Stack&) {
  value.warn("the key 'version' is obsolete and has no effect: remove it");
}

constexpr Key<Stack> kStackKeys[] = {
    {"name", [](const Value& value, Stack&) { value.string(); }},
    {"version", read_version},
    {"services", read_services},
    {"networks", read_stack_networks},
    {"volumes", read_stack_volumes},
    {"configs", read_file_definitions},
    {"include"},
    {"models"},
    {"secrets", read_file_definitions},
};

/// One run of `load`: the steps in order, and what they share.
class Loading {
 public:
  explicit Loading(const LoadOptions& options) : options_(options) {}

  Loaded run() {
    project_ = find_project(options_, sources_, findings_);
    if (find_bad_character(project_.directory.native(), Controls::allow))
      throw Error(ErrorKind::invalid, "the name of the project directory is not text in UTF-8");
    parse_files();
    reader_.stack_name = settle_name();
    project_.variables["COMPOSE_PROJECT_NAME"] = reader_.stack_name;
    combine_files();
    auto stack = read_stack();
    apply_profiles(stack);
    add_default_network(stack);
    report_problems(stack);
    findings_.throw_if_any();
    return {std::move(stack), findings_.take_warnings(), std::move(project_.files)};
  }

  std::string name() {
    if (options_.name) return *configured_name(options_, project_);
    project_ = find_project(options_, sources_, findings_);
    if (auto name = configured_name(options_, project_)) return *name;
    parse_files();
    return settle_name();
  }

 private:
  std::optional<Node> parse(const fs::path& file, const fs::path& base, const std::string& text) {
    auto& source = sources_.emplace_back(Source{shown_path(file, options_), base});
    return parse_yaml(text, source, findings_);
  }

  void parse_files() {
    for (const auto& file : project_.files) {
      auto tree = parse(file, project_.directory, options_.read_file(file).value_or(""));
      if (tree) trees_.push_back(std::move(*tree));
    }
  }

  /// Before everything else, because files may refer to it by the variable COMPOSE_PROJECT_NAME.
  std::string settle_name() {
    if (auto name = configured_name(options_, project_)) return *name;
    std::string name;
    Findings reported_later;
    Interpolator interpolator(lookup_, reported_later);
    for (auto& tree : trees_) {
      const auto* node = tree.find("name");
      if (node != nullptr && node->is_scalar() && !node->text.empty())
        name = interpolator.text(node->text, node->place);
    }
    return name.empty() ? name_of_directory(project_.directory) : name;
  }

  void combine_files() {
    Interpolator interpolator(lookup_, findings_);
    OpenFile open = [&](const fs::path& file, const Value& asked_by) -> std::optional<Node> {
      auto text = options_.read_file(file);
      if (!text) {
        asked_by.invalid(fmt::format("there is no file {}", shown_path(file, options_)));
        return std::nullopt;
      }
      auto tree = parse(file, file.parent_path(), *text);
      if (tree) interpolator.tree(*tree);
      return tree;
    };
    for (auto& tree : trees_) {
      interpolator.tree(tree);
      resolve_extends(tree, reader_, open);
      if (&tree == &trees_.front()) {
        root_ = std::move(tree);
      } else {
        merge(root_, std::move(tree), {});
      }
    }
    settle_tags(root_);
  }

  Stack read_stack() {
    Stack stack{.name = reader_.stack_name, .working_directory = project_.directory};
    // With no file readable, the rest could only repeat what the parser said.
    if (trees_.size() < project_.files.size()) findings_.throw_if_any();
    reader_.root = &root_;
    read_keys<Stack>(Value(root_, {}, reader_), kStackKeys, stack);
    if (root_.find("services") == nullptr) findings_.invalid(root_.place, "services: the key is missing");
    return stack;
  }

  std::set<std::string> active_profiles(const Stack& stack) const {
    std::set<std::string> active(options_.profiles.begin(), options_.profiles.end());
    for (const auto& name : split(lookup_("COMPOSE_PROFILES").value_or(""), ',')) {
      if (!trim(name).empty()) active.emplace(trim(name));
    }
    for (const auto& name : options_.services) {
      if (auto found = stack.services.find(name); found != stack.services.end())
        active.insert(found->second.profiles.begin(), found->second.profiles.end());
    }
    return active;
  }

  void apply_profiles(Stack& stack) {
    auto active = active_profiles(stack);
    std::map<std::string, Service> disabled;
    for (auto at = stack.services.begin(); at != stack.services.end();) {
      const auto& profiles = at->second.profiles;
      bool is_enabled = profiles.empty() || active.contains("*") ||
                        std::ranges::any_of(profiles, [&](const auto& profile) { return active.contains(profile); });
      auto next = std::next(at);
      if (!is_enabled) disabled.insert(stack.services.extract(at));
      at = next;
    }
    for (auto& [name, service] : stack.services) settle_dependencies(service, stack, disabled);
  }

  void settle_dependencies(Service& service, const Stack& stack, const std::map<std::string, Service>& disabled) {
    std::erase_if(service.depends_on, [&](const auto& item) {
      const auto& [target, dependency] = item;
      if (stack.services.contains(target)) return false;
      auto off = disabled.find(target);
      auto where = locate(fmt::format("services.{}.depends_on.{}", service.name, target), root_, reader_);
      if (!dependency.required) {
        if (off == disabled.end())
          findings_.warn(where.place, fmt::format("{}: there is no service '{}'", where.path, target));
        return true;
      }
      if (off == disabled.end()) return false;
      findings_.invalid(where.place,
                        fmt::format("{}: the service '{}' is not enabled: activate one of its profiles: {}", where.path,
                                    target, fmt::join(off->second.profiles, ", ")));
      return true;
    });
  }

  void report_problems(const Stack& stack) {
    for (const auto& problem : check(stack)) {
      auto where = locate(problem.path, root_, reader_);
      // What could not be read has been reported, and is not wrong a second time for being empty.
      if (!findings_.has_error_at(where.path))
        findings_.invalid(where.place, fmt::format("{}: {}", where.path, problem.message));
    }
  }

  const LoadOptions& options_;
  std::deque<Source> sources_;
  Findings findings_;
  Project project_;
  Lookup lookup_ = [this](const std::string& name) -> std::optional<std::string> {
    auto found = project_.variables.find(name);
    if (found == project_.variables.end()) return std::nullopt;
    if (!find_bad_character(found->second, Controls::allow)) return found->second;
    findings_.invalid({}, fmt::format("the value of the variable '{}' is not text in UTF-8", name));
    return "";
  };
  Reader reader_{.findings = findings_, .sources = sources_, .options = options_, .lookup = lookup_};
  std::vector<Node> trees_;
  Node root_;
};

}  // namespace

Loaded load(const LoadOptions& options) { return Loading(options).run(); }

std::string load_name(const LoadOptions& options) { return Loading(options).name(); }

}  // namespace gantry::compose
