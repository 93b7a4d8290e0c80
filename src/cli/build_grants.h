#pragma once

#include <boost/describe.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "context.h"

namespace gantry::cli {

/// What we lend a build (docs/decisions/0012): the body of POST /v1/build/sessions, and where its agents are here.
struct BuildSessionBody {
  std::map<std::string, std::string> secrets;  ///< id -> content in base64
  std::vector<std::string> agents;             ///< ids
};
BOOST_DESCRIBE_STRUCT(BuildSessionBody, (), (secrets, agents))

struct BuildGrants {
  BuildSessionBody body;
  std::map<std::string, std::filesystem::path> agents;  ///< id -> socket of an SSH agent
  bool empty() const { return body.secrets.empty() && body.agents.empty(); }
};

/// "--secret id=token,src=FILE", "id=token,env=NAME", "id=token" (the file or variable of that name). Reads them.
void add_secret(BuildGrants& grants, const std::string& text, const std::map<std::string, std::string>& environment,
                const std::filesystem::path& directory);
/// "--ssh default" (SSH_AUTH_SOCK), "--ssh id=SOCKET".
void add_agent(BuildGrants& grants, const std::string& text, const std::map<std::string, std::string>& environment,
               const std::filesystem::path& directory);

/// Keeps a connection waiting at the daemon for each agent, and carries what comes over it to the agent here. Runs
/// until it is cancelled.
task<> serve_agents(http::Client client, std::string session, std::map<std::string, std::filesystem::path> agents);

}  // namespace gantry::cli
