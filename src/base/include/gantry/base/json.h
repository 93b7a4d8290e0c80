#pragma once

#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <boost/mp11.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "gantry/base/error.h"
#include "gantry/base/ids.h"
#include "gantry/base/time.h"

/// Maps described structs to JSON and back: `BOOST_DESCRIBE_STRUCT(Point, (), (x, y))` is all a type needs.
///
/// Writing leaves out empty optionals. Reading keeps a member's default when its key is absent, refuses a wrong type
/// with the path to it ("$.ports[0].target: expected a number"), and refuses unknown keys when `Unknown::refuse` is
/// given (borders), so that a misspelt key is never silently ignored. Enums are their enumerators' names; a trailing
/// underscore (for C++ keywords) is dropped. Durations are integers of nanoseconds, Timestamps RFC 3339 strings.
namespace gantry::json {

namespace bj = boost::json;
enum class Unknown { ignore, refuse };

/// Parses text; an Error (invalid) gives `what` and the position. Depth and size are bounded.
bj::value parse(std::string_view text, std::string_view what);
/// Two-space indented, for people.
std::string pretty(const bj::value& value);

namespace detail {

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T, class A>
struct is_vector<std::vector<T, A>> : std::true_type {};
template <class T>
struct is_map : std::false_type {};
template <class V, class C, class A>
struct is_map<std::map<std::string, V, C, A>> : std::true_type {};
template <class T>
struct is_strong : std::false_type {};
template <class Tag>
struct is_strong<StrongString<Tag>> : std::true_type {};

/// Where a value is, as a chain of the steps that led to it: nobody spells it out unless something is wrong.
struct Path {
  const Path* parent = nullptr;
  std::string_view key;  ///< a member; empty: an element
  std::size_t index = 0;
  std::string text() const;
};

[[noreturn]] void refuse(const Path& path, std::string_view expected);

constexpr std::string_view strip_underscore(std::string_view name) {
  return !name.empty() && name.back() == '_' ? name.substr(0, name.size() - 1) : name;
}

template <class T>
void read(const bj::value& value, T& out, const Path& path, Unknown unknown);

template <class T>
bj::value write(const T& in);

template <class T>
std::string enumerator_names() {
  std::string out;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>(
      [&](auto enumerator) { out += (out.empty() ? "" : ", ") + std::string(strip_underscore(enumerator.name)); });
  return out;
}

template <class T>
std::string_view enumerator_name(T value) {
  std::string_view out;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto enumerator) {
    if (enumerator.value == value) out = strip_underscore(enumerator.name);
  });
  return out;
}

template <class T>
void read_struct(const bj::value& value, T& out, const Path& path, Unknown unknown) {
  const auto* object = value.if_object();
  if (object == nullptr) refuse(path, "an object");
  using Members = boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>;
  std::size_t known = 0;
  // Keys mostly come in the order of the members, as they were written: then each is found where it is looked for.
  const auto* next = object->begin();
  boost::mp11::mp_for_each<Members>([&](auto member) {
    if (known == object->size()) return;
    constexpr std::string_view name = strip_underscore(member.name);
    const auto* found = next != object->end() && next->key() == name ? next : object->find(name);
    if (found == object->end()) return;
    next = found + 1;
    ++known;
    read(found->value(), out.*member.pointer, Path{&path, name}, unknown);
  });
  if (unknown == Unknown::refuse && known != object->size()) {
    for (const auto& entry : *object) {
      auto key = entry.key();
      bool found = false;
      boost::mp11::mp_for_each<Members>([&](auto member) { found = found || strip_underscore(member.name) == key; });
      if (!found) throw Error(ErrorKind::invalid, path.text() + ": unknown key '" + std::string(key) + "'");
    }
  }
}

template <class T>
void read(const bj::value& value, T& out, const Path& path, Unknown unknown) {
  if constexpr (std::is_same_v<T, bj::value>) {
    out = value;
  } else if constexpr (std::is_same_v<T, bj::object>) {
    if (!value.is_object()) refuse(path, "an object");
    out = value.get_object();
  } else if constexpr (is_optional<T>::value) {
    if (value.is_null()) {
      out.reset();
      return;
    }
    typename T::value_type inner{};
    read(value, inner, path, unknown);
    out = std::move(inner);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_bool()) refuse(path, "true or false");
    out = value.get_bool();
  } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::filesystem::path>) {
    if (!value.is_string()) refuse(path, "a string");
    out = T(std::string(value.get_string()));
  } else if constexpr (is_strong<T>::value) {
    if (!value.is_string()) refuse(path, "a string");
    out = T(std::string(value.get_string()));
  } else if constexpr (std::is_same_v<T, Timestamp>) {
    auto time = value.is_string() ? from_rfc3339(std::string_view(value.get_string())) : std::nullopt;
    if (!time) refuse(path, "an RFC 3339 time");
    out = *time;
  } else if constexpr (std::is_same_v<T, Duration>) {
    if (!value.is_int64()) refuse(path, "a duration in nanoseconds");
    out = Duration(value.get_int64());
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!value.is_number()) refuse(path, "a number");
    out = value.to_number<T>();
  } else if constexpr (std::is_integral_v<T>) {
    boost::json::error_code failed;
    if (!value.is_number()) refuse(path, "a number");
    out = value.to_number<T>(failed);
    if (failed) refuse(path, "a whole number in range");
  } else if constexpr (std::is_enum_v<T>) {
    if (!value.is_string()) refuse(path, "a string");
    bool found = false;
    std::string_view wanted = value.get_string();
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto enumerator) {
      if (strip_underscore(enumerator.name) != wanted) return;
      out = enumerator.value;
      found = true;
    });
    if (!found) refuse(path, "one of " + enumerator_names<T>());
  } else if constexpr (is_vector<T>::value) {
    if (value.is_null()) {
      out.clear();
      return;
    }
    const auto* array = value.if_array();
    if (array == nullptr) refuse(path, "an array");
    out.clear();
    out.reserve(array->size());
    for (std::size_t i = 0; i < array->size(); ++i) {
      typename T::value_type element{};
      read((*array)[i], element, Path{&path, {}, i}, unknown);
      out.push_back(std::move(element));
    }
  } else if constexpr (is_map<T>::value) {
    if (value.is_null()) {
      out.clear();
      return;
    }
    const auto* object = value.if_object();
    if (object == nullptr) refuse(path, "an object");
    out.clear();
    for (const auto& [key, element] : *object) read(element, out[std::string(key)], Path{&path, key}, unknown);
  } else {
    static_assert(boost::describe::has_describe_members<T>::value, "describe this type with BOOST_DESCRIBE_STRUCT");
    read_struct(value, out, path, unknown);
  }
}

template <class T>
bj::value write(const T& in) {
  if constexpr (std::is_same_v<T, bj::value> || std::is_same_v<T, bj::object>) {
    return in;
  } else if constexpr (is_optional<T>::value) {
    return in ? write(*in) : bj::value(nullptr);
  } else if constexpr (std::is_same_v<T, bool>) {
    return bj::value(in);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return bj::value(in);
  } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
    return bj::value(in.string());
  } else if constexpr (is_strong<T>::value) {
    return bj::value(in.str());
  } else if constexpr (std::is_same_v<T, Timestamp>) {
    return bj::value(to_rfc3339(in));
  } else if constexpr (std::is_same_v<T, Duration>) {
    return bj::value(static_cast<std::int64_t>(in.count()));
  } else if constexpr (std::is_arithmetic_v<T>) {
    return bj::value(in);
  } else if constexpr (std::is_enum_v<T>) {
    return bj::value(enumerator_name(in));
  } else if constexpr (is_vector<T>::value) {
    bj::array array;
    array.reserve(in.size());
    for (const auto& element : in) array.push_back(write<typename T::value_type>(element));
    return array;
  } else if constexpr (is_map<T>::value) {
    bj::object object;
    for (const auto& [key, element] : in) object.emplace(key, write(element));
    return object;
  } else {
    static_assert(boost::describe::has_describe_members<T>::value, "describe this type with BOOST_DESCRIBE_STRUCT");
    bj::object object;
    using Members = boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>;
    boost::mp11::mp_for_each<Members>([&](auto member) {
      const auto& field = in.*member.pointer;
      if constexpr (is_optional<std::decay_t<decltype(field)>>::value) {
        if (!field) return;
      }
      object.emplace(strip_underscore(member.name), write(field));
    });
    return object;
  }
}

/// With quotes, and what must be escaped.
void print_string(std::string& out, std::string_view text);
void print_number(std::string& out, std::int64_t number);
void print_number(std::string& out, std::uint64_t number);

/// The text of `write(in)`, without making the value: records of containers are written at every change of theirs, and
/// a list of a thousand is asked for as often as somebody looks.
template <class T>
void print(std::string& out, const T& in) {
  if constexpr (std::is_same_v<T, bj::value> || std::is_same_v<T, bj::object> || std::is_floating_point_v<T>) {
    out += bj::serialize(bj::value(in));
  } else if constexpr (is_optional<T>::value) {
    if (in) {
      print(out, *in);
    } else {
      out += "null";
    }
  } else if constexpr (std::is_same_v<T, bool>) {
    out += in ? "true" : "false";
  } else if constexpr (std::is_same_v<T, std::string>) {
    print_string(out, in);
  } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
    print_string(out, in.native());
  } else if constexpr (is_strong<T>::value) {
    print_string(out, in.str());
  } else if constexpr (std::is_same_v<T, Timestamp>) {
    print_string(out, to_rfc3339(in));
  } else if constexpr (std::is_same_v<T, Duration>) {
    print_number(out, static_cast<std::int64_t>(in.count()));
  } else if constexpr (std::is_unsigned_v<T>) {
    print_number(out, static_cast<std::uint64_t>(in));
  } else if constexpr (std::is_integral_v<T>) {
    print_number(out, static_cast<std::int64_t>(in));
  } else if constexpr (std::is_enum_v<T>) {
    print_string(out, enumerator_name(in));
  } else if constexpr (is_vector<T>::value) {
    char before = '[';
    for (const auto& element : in) {
      out += std::exchange(before, ',');
      print<typename T::value_type>(out, element);
    }
    out += before == '[' ? "[]" : "]";
  } else if constexpr (is_map<T>::value) {
    char before = '{';
    for (const auto& [key, element] : in) {
      out += std::exchange(before, ',');
      print_string(out, key);
      out += ':';
      print(out, element);
    }
    out += before == '{' ? "{}" : "}";
  } else {
    static_assert(boost::describe::has_describe_members<T>::value, "describe this type with BOOST_DESCRIBE_STRUCT");
    using Members = boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>;
    char before = '{';
    boost::mp11::mp_for_each<Members>([&](auto member) {
      const auto& field = in.*member.pointer;
      if constexpr (is_optional<std::decay_t<decltype(field)>>::value) {
        if (!field) return;
      }
      out += std::exchange(before, ',');
      print_string(out, strip_underscore(member.name));
      out += ':';
      print(out, field);
    });
    out += before == '{' ? "{}" : "}";
  }
}

}  // namespace detail

template <class T>
bj::value to(const T& in) {
  return detail::write(in);
}

template <class T>
std::string to_text(const T& in) {
  std::string out;
  detail::print(out, in);
  return out;
}

/// Throws Error (invalid) with the path of what is wrong.
template <class T>
T from(const bj::value& value, Unknown unknown = Unknown::ignore) {
  T out{};
  detail::read(value, out, detail::Path{}, unknown);
  return out;
}

template <class T>
T from_text(std::string_view text, std::string_view what, Unknown unknown = Unknown::ignore) {
  try {
    return from<T>(parse(text, what), unknown);
  } catch (Error& error) {
    throw error.within(what);
  }
}

/// The name of a described enumerator.
template <class E>
std::string name_of(E value) {
  return std::string(detail::enumerator_name(value));
}

}  // namespace gantry::json
