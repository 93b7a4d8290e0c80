#include "ranges.h"

#include <charconv>

#include "gantry/distribution/error.h"

namespace gantry::api::registry_front {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t out = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

}  // namespace

std::optional<ByteRange> parse_range(const std::string* field, std::uint64_t size) {
  if (field == nullptr || !field->starts_with("bytes=")) return std::nullopt;
  auto text = std::string_view(*field).substr(6);
  auto dash = text.find('-');
  if (dash == std::string_view::npos || text.find(',') != std::string_view::npos) return std::nullopt;
  auto first = number(text.substr(0, dash));
  auto last = number(text.substr(dash + 1));
  if (dash == 0) {  // the last so many
    if (!last || size == 0) return std::nullopt;
    if (*last == 0) throw distribution::RangeError("the range has no bytes");
    auto count = std::min(*last, size);
    return ByteRange{size - count, count};
  }
  if (!first || (!last && dash + 1 != text.size()) || (last && *last < *first)) return std::nullopt;
  if (*first >= size)
    throw distribution::RangeError("the blob has " + std::to_string(size) + " bytes, the range begins behind them");
  auto end = last ? std::min(*last, size - 1) : size - 1;
  return ByteRange{*first, end - *first + 1};
}

std::optional<std::uint64_t> parse_chunk_start(const std::string* field) {
  if (field == nullptr) return std::nullopt;
  auto text = std::string_view(*field);
  if (text.starts_with("bytes ")) text.remove_prefix(6);  // as RFC 9110 would have it
  auto first = number(text.substr(0, text.find('-')));
  if (!first)
    throw distribution::RegistryError(distribution::Code::BLOB_UPLOAD_INVALID, ErrorKind::invalid,
                                      "Content-Range has not the form FIRST-LAST");
  return first;
}

}  // namespace gantry::api::registry_front
