#include "logs.h"

#include <unistd.h>

#include <array>

#include "api.h"
#include "gantry/base/http_stream.h"
#include "gather.h"
#include "parse.h"
#include "text.h"

namespace gantry::cli {
namespace {

constexpr std::array kPrefixColours{Colour::cyan, Colour::yellow, Colour::green, Colour::magenta, Colour::blue};

http::Query log_query(const LogFlags& flags) {
  http::Query query;
  auto moment = [](const std::string& text, std::string_view option) {
    return to_rfc3339(parse_moment(text, now(), option));
  };
  if (flags.follow) query.add("follow", "1");
  if (flags.timestamps) query.add("timestamps", "1");
  if (!flags.tail.empty() && flags.tail != "all") query.add("tail", std::to_string(parse_number(flags.tail, "--tail")));
  if (!flags.since.empty()) query.add("since", moment(flags.since, "--since"));
  if (!flags.until.empty()) query.add("until", moment(flags.until, "--until"));
  return query;
}

/// Where the records of one container go: as they are, or line by line with a prefix.
class LogWriter {
 public:
  explicit LogWriter(std::string prefix) : plain_(prefix.empty()), out_(prefix), err_(prefix) {}

  void write(const Chunk& chunk) {
    bool err = chunk.stream == StdStream::err;
    put(err, plain_ ? chunk.data : (err ? err_ : out_).feed(chunk.data));
  }
  void finish() {
    put(false, out_.finish());
    put(true, err_.finish());
  }

 private:
  static void put(bool err, const std::string& text) {
    if (!text.empty()) write_stream(err ? STDERR_FILENO : STDOUT_FILENO, text);
  }
  bool plain_;
  LinePrefixer out_;
  LinePrefixer err_;
};

task<> print_one(const http::Client& client, std::string id, http::Query query, std::string prefix) {
  http::ClientRequest request;
  request.path = api::path("containers", id, "logs");
  request.query = std::move(query);
  auto response = co_await client.open(std::move(request));
  http::FrameParser parser;
  LogWriter writer(std::move(prefix));
  for (;;) {
    auto bytes = co_await response.read_some();
    if (bytes.empty()) break;
    parser.feed(bytes);
    while (auto chunk = parser.next()) writer.write(*chunk);
  }
  writer.finish();
}

std::vector<std::string> make_prefixes(const Console& console, const std::vector<engine::ContainerInfo>& containers) {
  std::size_t width = 0;
  for (const auto& container : containers) width = std::max(width, container.spec.name.size());
  std::vector<std::string> prefixes;
  for (const auto& container : containers) {
    auto name = container.spec.name;
    name.append(width - name.size(), ' ');
    prefixes.push_back(console.paint(kPrefixColours[prefixes.size() % kPrefixColours.size()], name + " |") + " ");
  }
  return prefixes;
}

}  // namespace

std::string LinePrefixer::feed(std::string_view text) {
  pending_ += text;
  std::string out;
  std::size_t begin = 0;
  for (std::size_t end; (end = pending_.find('\n', begin)) != std::string::npos; begin = end + 1)
    out += prefix_ + pending_.substr(begin, end + 1 - begin);
  pending_.erase(0, begin);
  return out;
}

std::string LinePrefixer::finish() {
  if (pending_.empty()) return {};
  auto line = prefix_ + pending_ + "\n";
  pending_.clear();
  return line;
}

task<> print_logs(Context& context, std::vector<engine::ContainerInfo> containers, LogFlags flags) {
  auto query = log_query(flags);
  bool several = containers.size() > 1 && !flags.no_prefix;
  auto prefixes = several ? make_prefixes(context.console, containers) : std::vector<std::string>(containers.size());
  std::vector<task<>> tasks;
  for (std::size_t i = 0; i < containers.size(); ++i)
    tasks.push_back(print_one(context.client, containers[i].id.str(), query, prefixes[i]));
  auto failures = co_await gather(std::move(tasks));
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace gantry::cli
