#include "yaml.h"

#include <fmt/format.h>
#include <libfyaml.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "text.h"

// The event interface is used, not libfyaml's documents: aliases and merge keys are resolved here, where their
// expansion can be bounded, and where the document code's defects (exponential alias resolution, path aliases) are
// out of reach.
namespace gantry::compose {

namespace {

constexpr std::size_t kMaximumBytes = 4u << 20;
constexpr std::size_t kMaximumNodes = 100'000;
constexpr std::size_t kMaximumText = 32u << 20;
constexpr int kMaximumDepth = 48;

/// Unwinds the builder after a mistake that makes the rest of the file meaningless; it has been reported.
struct Abandon {};

struct Weight {
  std::size_t nodes = 0;
  std::size_t text = 0;
  int depth = 0;
};

Weight weigh(const Node& node) {
  Weight total{.nodes = 1, .text = node.text.size(), .depth = 1};
  auto add = [&](const Node& child) {
    auto weight = weigh(child);
    total.nodes += weight.nodes;
    total.text += weight.text;
    total.depth = std::max(total.depth, weight.depth + 1);
  };
  for (const auto& item : node.items) add(item);
  for (const auto& entry : node.entries) {
    total.text += entry.key.size();
    add(entry.value);
  }
  return total;
}

struct Anchor {
  Node node;
  Weight weight;
};

std::string text_of(fy_token* token) {
  std::size_t length = 0;
  const char* text = token != nullptr ? fy_token_get_text(token, &length) : nullptr;
  return text != nullptr ? std::string(text, length) : std::string();
}

class Builder {
 public:
  Builder(std::string_view text, const Source& source, Findings& findings) : source_(source), findings_(findings) {
    diag_.reset(fy_diag_create(nullptr));
    fy_diag_set_collect_errors(diag_.get(), true);
    fy_parse_cfg config{};
    config.flags = FYPCF_QUIET;
    config.diag = diag_.get();
    parser_.reset(fy_parser_create(&config));
    if (!diag_ || !parser_ || fy_parser_set_string(parser_.get(), text.data(), text.size()) != 0)
      throw Error(ErrorKind::internal, "libfyaml: cannot make a parser");
  }

  Node document() {
    Node root;
    root.kind = Node::Kind::mapping;
    root.place = {&source_, 1, 1};
    bool seen = false;
    for (advance(); event_; advance()) {
      if (event_->type == FYET_DOCUMENT_START) {
        if (seen) fail(place(), "more than one YAML document in a file: put each into a file of its own");
        seen = true;
      } else if (is_value()) {
        root = value(0, root.place);
      }
    }
    return root;
  }

 private:
  struct FreeEvent {
    fy_parser* parser;
    void operator()(fy_event* event) const { fy_parser_event_free(parser, event); }
  };
  struct FreeParser {
    void operator()(fy_parser* parser) const { fy_parser_destroy(parser); }
  };
  struct FreeDiag {
    void operator()(fy_diag* diag) const { fy_diag_destroy(diag); }
  };

  [[noreturn]] void fail(const Place& at, std::string message) {
    findings_.invalid(at, std::move(message));
    throw Abandon{};
  }

  void advance() {
    event_ = {fy_parser_parse(parser_.get()), FreeEvent{parser_.get()}};
    if (!event_ && fy_parser_get_stream_error(parser_.get())) syntax_error();
  }

  [[noreturn]] void syntax_error() {
    void* position = nullptr;
    const auto* error = fy_diag_errors_iterate(diag_.get(), &position);
    if (error == nullptr) fail({&source_, 1, 1}, "not valid YAML");
    fail({&source_, error->line, error->column}, fmt::format("not valid YAML: {}", error->msg));
  }

  bool is_value() const {
    return event_->type == FYET_SCALAR || event_->type == FYET_ALIAS || event_->type == FYET_SEQUENCE_START ||
           event_->type == FYET_MAPPING_START;
  }

  Place place() const {
    const auto* mark = fy_event_start_mark(event_.get());
    return mark != nullptr ? Place{&source_, mark->line + 1, mark->column + 1} : Place{&source_, 0, 0};
  }

  void spend(const Place& at, std::size_t nodes, std::size_t text) {
    nodes_ += nodes;
    text_ += text;
    if (nodes_ > kMaximumNodes || text_ > kMaximumText)
      fail(at, fmt::format("too big: more than {} values once aliases are expanded", kMaximumNodes));
  }

  void check_depth(const Place& at, int depth) {
    if (depth > kMaximumDepth) fail(at, fmt::format("nested deeper than {} levels", kMaximumDepth));
  }

  std::string next_tag() {
    auto* token = fy_event_get_tag_token(event_.get());
    if (token == nullptr) return {};
    return text_of(token);
  }

  /// `event_` is the value's first event; on return it is its last. An empty value has no place of its own and gets
  /// `fallback`.
  Node value(int depth, const Place& fallback) {
    Node node;
    node.place = place();
    if (node.place.line == 0) node.place = fallback;
    check_depth(node.place, depth);
    if (event_->type == FYET_ALIAS) return expand(text_of(event_->alias.anchor), node.place, depth);
    spend(node.place, 1, 0);
    auto anchor = text_of(fy_event_get_anchor_token(event_.get()));
    auto tag = next_tag();
    switch (event_->type) {
      case FYET_SEQUENCE_START:
        sequence(node, depth);
        break;
      case FYET_MAPPING_START:
        mapping(node, depth);
        break;
      default:
        scalar(node);
        break;
    }
    apply_tag(node, tag);
    if (!anchor.empty()) remember(anchor, node);
    return node;
  }

  void apply_tag(Node& node, const std::string& tag) {
    static const std::set<std::string_view> kStandard{"tag:yaml.org,2002:map",   "tag:yaml.org,2002:seq",
                                                      "tag:yaml.org,2002:int",   "tag:yaml.org,2002:bool",
                                                      "tag:yaml.org,2002:float", "tag:yaml.org,2002:null"};
    if (tag.empty() || kStandard.contains(tag)) return;
    if (tag == "tag:yaml.org,2002:str" || tag == "!") {
      node.plain = false;
    } else if (tag == "!reset" || tag == "!override") {
      node.tag = tag;
    } else {
      findings_.invalid(node.place, fmt::format("unknown YAML tag '{}'", tag));
    }
  }

  void scalar(Node& node) {
    node.text = text_of(event_->scalar.value);
    auto style = event_->scalar.value != nullptr ? fy_scalar_token_get_style(event_->scalar.value) : FYSS_PLAIN;
    node.plain = style == FYSS_PLAIN;
    // libfyaml's mark stands after the opening quote.
    if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) --node.place.column;
    // Escapes can make what the file itself may not contain.
    if (find_bad_character(node.text, Controls::allow)) {
      findings_.invalid(node.place, "an escape gives a zero byte, or what is not text in UTF-8");
      node.text.clear();
    }
    spend(node.place, 0, node.text.size());
  }

  void sequence(Node& node, int depth) {
    node.kind = Node::Kind::sequence;
    for (step(); event_->type != FYET_SEQUENCE_END; step()) node.items.push_back(value(depth + 1, node.place));
  }

  /// The next event, which must be there: inside a collection the stream cannot end.
  void step() {
    advance();
    if (!event_) syntax_error();
  }

  void mapping(Node& node, int depth) {
    node.kind = Node::Kind::mapping;
    std::vector<Node> merged;
    std::map<std::string, Place> seen;
    for (step(); event_->type != FYET_MAPPING_END; step()) {
      auto key = value(depth + 1, node.place);
      if (!key.is_scalar()) fail(key.place, "a key must be a string");
      step();
      auto content = value(depth + 1, key.place);
      if (key.plain && key.text == "<<") {
        collect_merge(std::move(content), merged);
      } else if (auto [first, fresh] = seen.emplace(key.text, key.place); !fresh) {
        findings_.invalid(key.place,
                          fmt::format("duplicate key '{}' (first in line {})", key.text, first->second.line));
      } else {
        node.entries.push_back({std::move(key.text), key.place, std::move(content)});
      }
    }
    for (auto& from : merged) {
      for (auto& entry : from.entries) {
        if (seen.emplace(entry.key, entry.place).second) node.entries.push_back(std::move(entry));
      }
    }
  }

  void collect_merge(Node content, std::vector<Node>& merged) {
    if (content.is_mapping()) {
      merged.push_back(std::move(content));
    } else if (content.is_sequence() && std::ranges::all_of(content.items, &Node::is_mapping)) {
      for (auto& item : content.items) merged.push_back(std::move(item));
    } else {
      findings_.invalid(content.place, "the merge key '<<' needs a mapping or a list of mappings");
    }
  }

  void remember(const std::string& name, const Node& node) {
    auto weight = weigh(node);
    spend(node.place, weight.nodes, weight.text);
    anchors_.insert_or_assign(name, Anchor{node, weight});
  }

  Node expand(const std::string& name, const Place& at, int depth) {
    auto found = anchors_.find(name);
    if (found == anchors_.end()) fail(at, fmt::format("alias '*{}' to an anchor that is not defined before it", name));
    check_depth(at, depth + found->second.weight.depth - 1);
    spend(at, found->second.weight.nodes, found->second.weight.text);
    return found->second.node;
  }

  const Source& source_;
  Findings& findings_;
  std::unique_ptr<fy_diag, FreeDiag> diag_;
  std::unique_ptr<fy_parser, FreeParser> parser_;
  std::unique_ptr<fy_event, FreeEvent> event_{nullptr, FreeEvent{nullptr}};
  std::map<std::string, Anchor> anchors_;
  std::size_t nodes_ = 0;
  std::size_t text_ = 0;
};

}  // namespace

bool Node::is_null() const {
  static const std::set<std::string_view> kNull{"", "~", "null", "Null", "NULL"};
  return kind == Kind::scalar && plain && kNull.contains(text);
}

const Node* Node::find(std::string_view key) const {
  auto found = std::ranges::find(entries, key, &Entry::key);
  return found != entries.end() ? &found->value : nullptr;
}

Node* Node::find(std::string_view key) { return const_cast<Node*>(std::as_const(*this).find(key)); }

std::string_view kind_name(const Node& node) {
  if (node.is_mapping()) return "a mapping";
  if (node.is_sequence()) return "a list";
  return node.is_null() ? "nothing" : "a single value";
}

std::optional<Node> parse_yaml(std::string_view text, const Source& source, Findings& findings) {
  Place start{&source, 1, 1};
  if (text.size() > kMaximumBytes) {
    findings.invalid(start, fmt::format("the file is bigger than {} MiB", kMaximumBytes >> 20));
    return std::nullopt;
  }
  // libfyaml takes a zero byte or a broken character for the end of its input, without an error.
  if (auto bad = find_bad_character(text, Controls::refuse)) {
    auto line = static_cast<int>(std::ranges::count(text.substr(0, *bad), '\n')) + 1;
    auto column = static_cast<int>(*bad - (text.substr(0, *bad).rfind('\n') + 1)) + 1;
    findings.invalid({&source, line, column}, "not valid YAML: a byte that is not text in UTF-8");
    return std::nullopt;
  }
  try {
    auto root = Builder(text, source, findings).document();
    if (root.is_mapping()) return root;
    if (root.is_null()) {
      root.kind = Node::Kind::mapping;
      return root;
    }
    findings.invalid(root.place, fmt::format("a compose file is a mapping, this is {}", kind_name(root)));
  } catch (const Abandon&) {
  }
  return std::nullopt;
}

}  // namespace gantry::compose
