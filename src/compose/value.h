#pragma once

#include <fmt/format.h>

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/compose/compose.h"
#include "interpolate.h"
#include "text.h"
#include "yaml.h"

namespace gantry::compose {

/// Where a part of the model was written, for what is found only when the whole model is there.
struct Written {
  std::string path;  ///< in the file: "services.web.volumes[0]"
  Place place;
};

/// What the readers of all sections share.
struct Reader {
  Findings& findings;
  std::deque<Source>& sources;
  const LoadOptions& options;
  const Lookup& lookup;  ///< the client's environment, for variables without a value
  std::string stack_name = {};
  const Node* root = nullptr;  ///< of the file that all files together make, once they have been combined
  std::size_t ports = 0;       ///< how many were read, for their bound
  std::map<std::string, Written> written = {};  ///< by path in the model: "services.web.mounts[0]"
};

using OptionalStringMap = std::map<std::string, std::optional<std::string>>;

/// A node with its path and the place to report to. The `read` functions set their argument when the node has the
/// right type, and report otherwise.
class Value {
 public:
  Value(const Node& node, std::string path, Reader& reader) : Value(node, std::move(path), reader, node.place) {}

  const Node& node() const { return node_; }
  const std::string& path() const { return path_; }
  /// Where the value begins; for a block below its key, the key.
  const Place& place() const { return place_; }
  Reader& reader() const { return reader_; }

  Value at(const Entry& entry) const;
  Value at(std::size_t index) const;
  std::optional<Value> find(std::string_view key) const;

  void invalid(std::string_view message) const;
  void unsupported(std::string_view message) const;
  void warn(std::string_view message) const;
  /// Says that `expected` was expected here.
  void wrong_type(std::string_view expected) const;
  /// Remembers that the model's `path` was written here.
  void writes(const std::string& path) const { reader_.written[path] = {path_, key_place_}; }

  std::optional<std::string> string() const;
  bool read(std::string& out) const;
  bool read(bool& out) const;
  bool read(std::int32_t& out) const;
  bool read(std::uint32_t& out) const;
  bool read(std::uint64_t& out) const;
  bool read(double& out) const;
  bool read(Duration& out) const;
  bool read(std::vector<std::string>& out) const;
  bool read(OptionalStringMap& out) const;  ///< mapping, or list of NAME=VALUE
  bool read(StringMap& out) const;          ///< the same; no value is an empty value
  bool read_bytes(std::uint64_t& out) const;
  bool read_list(std::vector<std::string>& out) const;     ///< list, or one string
  bool read_command(std::vector<std::string>& out) const;  ///< list, or a string split like a shell does

  template <class T>
  bool read(std::optional<T>& out) const {
    T value{};
    if (!read(value)) return false;
    out = std::move(value);
    return true;
  }

  /// `relative` against the directory of the file it was written in; "~" is the client's home.
  std::filesystem::path resolve(std::string_view relative) const;

 private:
  Value(const Node& node, std::string path, Reader& reader, const Place& key_place);

  template <class T>
  bool read_integer(T& out) const;

  const Node& node_;
  std::string path_;
  Reader& reader_;
  Place key_place_;  ///< in a list: the value's own
  Place place_;
};

/// One key of a section. Without a `read` it is a key of the Compose specification that Gantry does not support yet.
template <class Out>
struct Key {
  std::string_view name;
  void (*read)(const Value&, Out&) = nullptr;
};

/// Follows a chain of members: `into<&Draft::service, &Service::image>` reads a value into `draft.service.image`.
template <auto... Path, class Out>
void into(const Value& value, Out& out) {
  value.read((out.*....*Path));
}

/// A key that the specification lets implementations ignore, or that says nothing Gantry could act upon.
template <class Out>
void no_effect(const Value&, Out&) {}

namespace detail {
void unknown_key(const Value& parent, const Entry& entry, const std::vector<std::string>& known);
}

/// Reads a mapping by its table: dispatches known keys, reports unsupported and unknown ones. "x-" keys and keys
/// without a value are passed over.
template <class Out>
bool read_keys(const Value& value, std::span<const Key<Out>> keys, Out& out) {
  if (!value.node().is_mapping()) {
    value.wrong_type("a mapping");
    return false;
  }
  for (const auto& entry : value.node().entries) {
    if (entry.key.starts_with("x-")) continue;
    auto key = std::find_if(keys.begin(), keys.end(), [&](const auto& known) { return known.name == entry.key; });
    if (key == keys.end()) {
      std::vector<std::string> names;
      if (!value.reader().findings.is_full()) {
        for (const auto& known : keys) names.emplace_back(known.name);
      }
      detail::unknown_key(value, entry, names);
    } else if (key->read == nullptr) {
      value.reader().findings.unsupported(
          entry.place, fmt::format("{}: the Compose specification has this key, Gantry does not support it yet",
                                   value.at(entry).path()));
    } else if (!entry.value.is_null()) {
      key->read(value.at(entry), out);
    }
  }
  return true;
}

}  // namespace gantry::compose
