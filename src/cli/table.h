#pragma once

#include <string>
#include <vector>

namespace gantry::cli {

/// Rows under headings, columns aligned, three spaces between them, nothing after the last.
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string text() const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace gantry::cli
