#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include "gantry/base/error.h"

namespace gantry::runtime {

/// The text of a shim's `plan`: words ended by NUL, each keyword followed by its values.
class Words {
 public:
  template <class... Values>
  void add(std::string_view keyword, const Values&... values) {
    word(keyword);
    (word(values), ...);
  }
  std::string take() { return std::move(text_); }

 private:
  void word(std::string_view value) {
    if (value.find('\0') != std::string_view::npos)
      throw Error(ErrorKind::invalid, "a word of the container's plan contains a NUL byte");
    text_.append(value).push_back('\0');
  }
  template <std::integral Number>
  void word(Number value) {
    word(std::string_view(std::to_string(value)));
  }
  std::string text_;
};

}  // namespace gantry::runtime
