#include "build_grants.h"

#include <sys/stat.h>

#include "api.h"
#include "gantry/base/base64.h"
#include "gantry/base/files.h"
#include "gantry/base/relay.h"

namespace gantry::cli {
namespace {

namespace fs = std::filesystem;

using Fields = std::map<std::string, std::string>;
using Environment = std::map<std::string, std::string>;

constexpr std::size_t kLongestSecret = 500u << 10;

[[noreturn]] void refuse(const std::string& option, const std::string& text, const std::string& why,
                         const std::string& fix) {
  throw Error(ErrorKind::invalid, option + " " + text + ": " + why, fix);
}

// "a=b,c=d"; a word alone is an id.
Fields fields_of(const std::string& option, const std::string& text) {
  Fields out;
  std::size_t at = 0;
  while (at <= text.size()) {
    auto end = std::min(text.find(',', at), text.size());
    auto field = text.substr(at, end - at);
    auto equals = field.find('=');
    auto key = equals == std::string::npos ? "id" : field.substr(0, equals);
    auto value = equals == std::string::npos ? field : field.substr(equals + 1);
    if (value.empty() || !out.emplace(key, value).second)
      refuse(option, text, "\"" + field + "\" is empty or given twice",
             "write it as id=NAME,src=FILE or id=NAME,env=VARIABLE");
    at = end + 1;
  }
  return out;
}

std::string take(Fields& fields, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (auto found = fields.extract(name)) return found.mapped();
  return {};
}

std::string file_secret(const std::string& text, const fs::path& path) {
  try {
    return read_file(path, kLongestSecret);
  } catch (Error& error) {
    throw error.within("--secret " + text);
  }
}

task<> carry(std::shared_ptr<http::ByteStream> stream, std::string first, fs::path agent) {
  using namespace asio::experimental::awaitable_operators;
  LocalSocket socket(co_await asio::this_coro::executor);
  asio::local::stream_protocol::endpoint endpoint(agent.string());
  co_await socket.async_connect(endpoint, asio::use_awaitable);
  gantry::detail::Outcome<void> there, back;
  auto going = gantry::detail::settle<void>(relay(stream, &socket, std::move(first)), &there);
  auto coming = gantry::detail::settle<void>(relay(&socket, stream), &back);
  co_await (std::move(going) && std::move(coming));
}

task<> serve_agent(http::Client client, std::string session, std::string id, fs::path agent) {
  auto executor = co_await asio::this_coro::executor;
  for (;;) {
    http::ClientRequest request;
    request.method = "POST";
    request.path = api::path("build", "sessions", session, "agents", id);
    std::shared_ptr<http::ByteStream> stream = co_await client.upgrade(std::move(request), "tcp");
    std::string first(16u << 10, '\0');
    first.resize(co_await stream->read_some(first));
    if (first.empty()) co_return;  // the build is over
    // What fails here the step sees: its connection to the agent ends.
    asio::co_spawn(executor, carry(stream, std::move(first), agent), asio::detached);
  }
}

}  // namespace

void add_secret(BuildGrants& grants, const std::string& text, const Environment& environment,
                const fs::path& directory) {
  auto fields = fields_of("--secret", text);
  auto id = take(fields, {"id"});
  auto source = take(fields, {"src", "source"});
  auto variable = take(fields, {"env"});
  auto type = take(fields, {"type"});
  if (!fields.empty()) refuse("--secret", text, "unknown key \"" + fields.begin()->first + "\"", "use id, src and env");
  if (id.empty() && !source.empty()) id = fs::path(source).filename().string();
  if (id.empty()) refuse("--secret", text, "the id is missing", "write it as id=NAME,src=FILE or id=NAME,env=VARIABLE");
  if (!type.empty() && type != "file" && type != "env") refuse("--secret", text, "unknown type", "use file or env");
  if (type == "env" && variable.empty()) variable = std::exchange(source, "");
  if (source.empty() && variable.empty()) (type != "file" && environment.contains(id) ? variable : source) = id;
  std::string content;
  if (!variable.empty()) {
    auto found = environment.find(variable);
    if (found == environment.end())
      refuse("--secret", text, "the variable " + variable + " is not set", "export it, or name a file with src=");
    content = found->second;
  } else {
    content = file_secret(text, directory / source);
  }
  if (!grants.body.secrets.emplace(id, encode_base64(content)).second)
    refuse("--secret", text, "the id " + id + " is given twice", "give each secret an id of its own");
}

void add_agent(BuildGrants& grants, const std::string& text, const Environment& environment,
               const fs::path& directory) {
  auto equals = text.find('=');
  auto id = text.substr(0, equals);
  fs::path socket;
  if (equals != std::string::npos) {
    socket = directory / text.substr(equals + 1);
  } else if (auto found = environment.find("SSH_AUTH_SOCK"); found != environment.end() && !found->second.empty()) {
    socket = found->second;
  } else {
    refuse("--ssh", text, "SSH_AUTH_SOCK is not set", "start an agent: eval $(ssh-agent) && ssh-add");
  }
  struct stat info {};
  if (id.empty() || ::stat(socket.c_str(), &info) < 0)
    refuse("--ssh", text, socket.string() + " is not there", "name the socket of an agent: --ssh default=/path");
  if (!S_ISSOCK(info.st_mode))
    refuse("--ssh", text, socket.string() + " is no socket",
           "put the key into an agent: eval $(ssh-agent) && ssh-add FILE");
  if (!grants.agents.emplace(id, socket).second) refuse("--ssh", text, "the id is given twice", "use another id");
  grants.body.agents.push_back(id);
}

task<> serve_agents(http::Client client, std::string session, std::map<std::string, fs::path> agents) {
  std::vector<task<>> all_of_them;
  for (const auto& [id, socket] : agents) all_of_them.push_back(serve_agent(client, session, id, socket));
  co_await all(std::move(all_of_them));
}

}  // namespace gantry::cli
