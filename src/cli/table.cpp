#include "table.h"

#include <algorithm>

#include "text.h"

namespace gantry::cli {

std::string Table::text() const {
  std::vector<std::size_t> widths(headings_.size());
  auto measure = [&](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size() && i < widths.size(); ++i)
      widths[i] = std::max(widths[i], display_width(cells[i]));
  };
  measure(headings_);
  for (const auto& row : rows_) measure(row);

  std::string out;
  auto print = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      line += cells[i];
      if (i + 1 < cells.size()) line.append(widths[i] + 3 - display_width(cells[i]), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  };
  print(headings_);
  for (const auto& row : rows_) print(row);
  return out;
}

}  // namespace gantry::cli
