#include "tar_entry.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace gantry::image {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameField = 100;
constexpr std::uint64_t kLargestId = 07777777;
constexpr std::uint64_t kLargestNumber = 077777777777;
using Records = std::map<std::string, std::string>;

struct Header {
  std::array<char, kBlock> bytes{};

  void text(std::size_t at, std::size_t width, std::string_view value) {
    std::memcpy(bytes.data() + at, value.data(), std::min(value.size(), width));
  }
  // Zero-padded octal digits and a NUL.
  void number(std::size_t at, std::size_t width, std::uint64_t value) {
    for (std::size_t i = width - 1; i-- > 0; value >>= 3) bytes[at + i] = static_cast<char>('0' + (value & 7));
  }
  std::string finish() {
    std::memset(bytes.data() + 148, ' ', 8);
    std::uint64_t sum = 0;
    for (char byte : bytes) sum += static_cast<unsigned char>(byte);
    number(148, 7, sum);
    return {bytes.data(), bytes.size()};
  }
};

// Field offsets and widths: IEEE 1003.1, "ustar Interchange Format".
std::string ustar(const TarEntry& entry) {
  auto fitting = [](std::uint64_t value, std::uint64_t most) { return value <= most ? value : 0; };
  Header header;
  header.text(0, kNameField, entry.path);
  header.number(100, 8, entry.mode & 07777);
  header.number(108, 8, fitting(entry.uid, kLargestId));
  header.number(116, 8, fitting(entry.gid, kLargestId));
  header.number(124, 12, fitting(entry.size, kLargestNumber));
  header.number(136, 12, entry.mtime < 0 ? 0 : fitting(static_cast<std::uint64_t>(entry.mtime), kLargestNumber));
  header.bytes[156] = entry.type;
  header.text(157, kNameField, entry.link);
  header.text(257, 8, std::string_view("ustar\00000", 8));
  header.number(329, 8, fitting(entry.major, kLargestId));
  header.number(337, 8, fitting(entry.minor, kLargestId));
  return header.finish();
}

Records pax_records(const TarEntry& entry) {
  Records out;
  if (entry.path.size() > kNameField) out["path"] = entry.path;
  if (entry.link.size() > kNameField) out["linkpath"] = entry.link;
  if (entry.uid > kLargestId) out["uid"] = std::to_string(entry.uid);
  if (entry.gid > kLargestId) out["gid"] = std::to_string(entry.gid);
  if (entry.size > kLargestNumber) out["size"] = std::to_string(entry.size);
  if (entry.mtime < 0 || static_cast<std::uint64_t>(entry.mtime) > kLargestNumber)
    out["mtime"] = std::to_string(entry.mtime);
  for (const auto& [name, value] : entry.xattrs) out["SCHILY.xattr." + name] = value;
  return out;
}

// "<length> <key>=<value>\n", where the length counts its own digits.
std::string pax_record(const std::string& key, const std::string& value) {
  std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + std::to_string(rest).size();
  if (std::to_string(length).size() != std::to_string(rest).size()) ++length;
  return std::to_string(length) + " " + key + "=" + value + "\n";
}

}  // namespace

std::string tar_padding(std::uint64_t size) { return std::string((kBlock - size % kBlock) % kBlock, '\0'); }
std::string tar_end() { return std::string(2 * kBlock, '\0'); }

std::string tar_header(const TarEntry& entry) {
  auto records = pax_records(entry);
  if (records.empty()) return ustar(entry);
  std::string body;
  for (const auto& [key, value] : records) body += pax_record(key, value);
  TarEntry extended{.path = "PaxHeaders/" + entry.path.substr(0, 80), .type = 'x', .mode = 0644, .size = body.size()};
  if (extended.path.ends_with('/')) extended.path.pop_back();
  return ustar(extended) + body + tar_padding(body.size()) + ustar(entry);
}

}  // namespace gantry::image
