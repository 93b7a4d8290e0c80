#pragma once

#include <boost/describe.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent_relay.h"
#include "gantry/build/builder.h"

namespace gantry::api::v1 {

/// What a client lends one build: the body of POST /v1/build/sessions.
struct SessionBody {
  std::map<std::string, std::string> secrets;  ///< id -> content in base64
  std::vector<std::string> agents;             ///< ids
};
BOOST_DESCRIBE_STRUCT(SessionBody, (), (secrets, agents))

class BuildSession {
 public:
  BuildSession(asio::any_io_executor executor, const std::filesystem::path& directory, const SessionBody& body);
  std::shared_ptr<const build::Grants> grants() const { return grants_; }
  /// Error not_found.
  AgentRelay& agent(const std::string& id);
  task<> close();

 private:
  std::shared_ptr<build::Grants> grants_ = std::make_shared<build::Grants>();
  std::map<std::string, std::unique_ptr<AgentRelay>> agents_;
};

/// The sessions of builds that run or are about to. In memory only; one that no build takes within a minute is
/// forgotten. Control thread.
class BuildSessions {
 public:
  /// `directory`: for sockets; what is left there from before is removed.
  BuildSessions(asio::any_io_executor executor, Scope& scope, std::filesystem::path directory);
  std::string open(const SessionBody& body);
  /// Error not_found.
  std::shared_ptr<BuildSession> find(const std::string& id) const;
  /// The same, for the build: a session serves one.
  std::shared_ptr<BuildSession> take(const std::string& id);
  void close(const std::string& id);

 private:
  struct Entry {
    std::shared_ptr<BuildSession> session;
    bool taken = false;
  };
  task<> forget(std::string id);

  asio::any_io_executor executor_;
  Scope& scope_;
  std::filesystem::path directory_;
  std::map<std::string, Entry> sessions_;
};

}  // namespace gantry::api::v1
