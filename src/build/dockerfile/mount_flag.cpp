#include "dockerfile/mount_flag.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <functional>
#include <map>
#include <vector>

#include "dockerfile/suggest.h"
#include "gantry/base/error.h"

namespace gantry::build {
namespace {

[[noreturn]] void refuse_mount(const std::string& why) { throw Error(ErrorKind::invalid, "--mount: " + why); }

// Fields of one CSV line: quotes around a field, doubled inside.
std::vector<std::string> fields_of(std::string_view text) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      if (quoted && i + 1 < text.size() && text[i + 1] == '"')
        out.back() += text[++i];
      else
        quoted = !quoted;
    } else if (text[i] == ',' && !quoted) {
      out.emplace_back();
    } else {
      out.back() += text[i];
    }
  }
  if (quoted) refuse_mount("a quote is not closed");
  return out;
}

struct Field {
  std::string key;
  std::optional<std::string> value;

  bool boolean() const {
    if (!value || *value == "true" || *value == "1") return true;
    if (*value == "false" || *value == "0") return false;
    refuse_mount(key + " is true or false, not \"" + *value + "\"");
  }
  const std::string& text() const {
    if (!value || value->empty()) refuse_mount(key + " needs a value");
    return *value;
  }
  template <class T>
  T number(int base) const {
    T out = 0;
    const auto& digits = text();
    auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), out, base);
    if (failed != std::errc() || end != digits.data() + digits.size())
      refuse_mount(key + " is no number: \"" + digits + "\"");
    return out;
  }
  std::uint64_t bytes() const {
    static const std::map<char, unsigned> kUnits{{'k', 10}, {'m', 20}, {'g', 30}, {'t', 40}};
    auto digits = text();
    for (char& c : digits) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    if (digits.ends_with('b')) digits.pop_back();
    unsigned shift = 0;
    if (!digits.empty())
      if (auto unit = kUnits.find(digits.back()); unit != kUnits.end()) shift = unit->second, digits.pop_back();
    auto count = Field{key, digits}.number<std::uint64_t>(10);
    if (count > (UINT64_MAX >> shift)) refuse_mount(key + " is too large");
    return count << shift;
  }
};

std::string variable(const Field& field) {
  const auto& name = field.text();
  auto good = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  if (!std::all_of(name.begin(), name.end(), good) || std::isdigit(static_cast<unsigned char>(name[0])) != 0)
    refuse_mount("\"" + name + "\" is no name of a variable");
  return name;
}

template <class E, std::size_t N>
E choose(const Field& field, const std::array<std::pair<std::string_view, E>, N>& values) {
  std::array<std::string_view, N> names;
  for (std::size_t i = 0; i < N; ++i) {
    if (values[i].first == field.text()) return values[i].second;
    names[i] = values[i].first;
  }
  refuse_mount("unknown " + field.key + " \"" + field.text() + "\"" + suggestion(field.text(), names));
}

constexpr std::array<std::pair<std::string_view, MountKind>, 5> kKinds{{{"bind", MountKind::bind},
                                                                        {"cache", MountKind::cache},
                                                                        {"tmpfs", MountKind::tmpfs},
                                                                        {"secret", MountKind::secret},
                                                                        {"ssh", MountKind::ssh}}};
constexpr std::array<std::pair<std::string_view, Sharing>, 3> kSharings{
    {{"shared", Sharing::shared}, {"private", Sharing::private_}, {"locked", Sharing::locked}}};

using Setter = void (*)(MountFlag&, const Field&);
struct Key {
  std::string_view name;
  std::string_view kinds;  ///< initials of those that know it: b c t s(ecret) h (ssh)
  Setter set;
};

const std::array<Key, 19>& keys() {
  static const std::array<Key, 19> table{{
      {"type", "bctsh", [](MountFlag& m, const Field& f) { m.kind = choose(f, kKinds); }},
      {"target", "bctsh", [](MountFlag& m, const Field& f) { m.target = f.text(); }},
      {"dst", "bctsh", [](MountFlag& m, const Field& f) { m.target = f.text(); }},
      {"destination", "bctsh", [](MountFlag& m, const Field& f) { m.target = f.text(); }},
      {"source", "bc", [](MountFlag& m, const Field& f) { m.source = f.text(); }},
      {"src", "bc", [](MountFlag& m, const Field& f) { m.source = f.text(); }},
      {"from", "bc", [](MountFlag& m, const Field& f) { m.from = f.text(); }},
      {"id", "csh", [](MountFlag& m, const Field& f) { m.id = f.text(); }},
      {"readonly", "bcsh", [](MountFlag& m, const Field& f) { m.read_only = f.boolean(); }},
      {"ro", "bcsh", [](MountFlag& m, const Field& f) { m.read_only = f.boolean(); }},
      {"readwrite", "bcsh", [](MountFlag& m, const Field& f) { m.read_only = !f.boolean(); }},
      {"rw", "bcsh", [](MountFlag& m, const Field& f) { m.read_only = !f.boolean(); }},
      {"required", "sh", [](MountFlag& m, const Field& f) { m.required = f.boolean(); }},
      {"sharing", "c", [](MountFlag& m, const Field& f) { m.sharing = choose(f, kSharings); }},
      {"size", "t", [](MountFlag& m, const Field& f) { m.size = f.bytes(); }},
      {"mode", "csh", [](MountFlag& m, const Field& f) { m.mode = f.number<unsigned>(8) & 07777; }},
      {"uid", "csh", [](MountFlag& m, const Field& f) { m.uid = f.number<std::uint32_t>(10); }},
      {"gid", "csh", [](MountFlag& m, const Field& f) { m.gid = f.number<std::uint32_t>(10); }},
      {"env", "s", [](MountFlag& m, const Field& f) { m.env = variable(f); }},
  }};
  return table;
}

char initial(MountKind kind) { return "bctsh"[static_cast<int>(kind)]; }

const Key& find_key(const std::string& name) {
  std::vector<std::string_view> names;
  for (const auto& key : keys()) {
    if (key.name == name) return key;
    names.push_back(key.name);
  }
  refuse_mount("unknown key \"" + name + "\"" + suggestion(name, names));
}

}  // namespace

MountFlag parse_mount_flag(std::string_view text) {
  std::vector<Field> fields;
  for (const auto& field : fields_of(text)) {
    auto equals = field.find('=');
    std::string key = field.substr(0, equals);
    for (char& c : key) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    fields.push_back({key, equals == std::string::npos ? std::nullopt : std::optional(field.substr(equals + 1))});
  }
  MountFlag out;
  for (const auto& field : fields)
    if (field.key == "type") out.kind = choose(field, kKinds);
  out.read_only = out.kind != MountKind::cache && out.kind != MountKind::tmpfs;
  for (const auto& field : fields) {
    const auto& key = find_key(field.key);
    if (key.kinds.find(initial(out.kind)) == std::string_view::npos)
      refuse_mount("\"" + field.key + "\" means nothing for a mount of this type");
    key.set(out, field);
  }
  bool needs_target = out.kind == MountKind::bind || out.kind == MountKind::cache || out.kind == MountKind::tmpfs;
  if (needs_target && out.target.empty()) refuse_mount("the target is missing");
  bool named = !out.id.empty() || !out.target.empty() || !out.env.empty();
  if (out.kind == MountKind::secret && !named) refuse_mount("a secret needs an id");
  return out;
}

}  // namespace gantry::build
