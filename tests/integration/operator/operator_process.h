// The operator's program beside an API server double in this process: started with flags, asked over its admin port,
// stopped by id.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "operator/local/api_server/api_server.h"
#include "operator/local/process_runner/process.h"
#include "tests/loopback/reservation.h"

namespace holdfast {

// A server with our definition of StorageCluster and a namespace "prod".
class ApiDouble {
 public:
  ApiDouble();

  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }
  local::ApiServer& server() { return server_; }
  // Aborts when it is refused.
  nlohmann::json Call(const std::string& method, const std::string& target, const nlohmann::json& body = nullptr,
                      const std::string& content_type = "");
  // In the namespace, of one memory backend.
  void CreateCluster(const std::string& ns, const std::string& name);

 private:
  local::ApiServer server_;
};

// What a program has said and how it ended.
struct ProgramResult {
  int status = -1;     // -1 = it had to be killed
  std::string output;  // standard output and error
};

// Runs the operator's program to its end, at most a minute.
ProgramResult RunOperatorProgram(const std::vector<std::string>& arguments);

class OperatorProcess {
 public:
  // `run` against `api_url`, with an admin port of its own.
  OperatorProcess(const std::string& api_url, const std::vector<std::string>& more);
  ~OperatorProcess();

  // The body of a GET on the admin port; empty while it does not answer.
  std::string Admin(const std::string& path) const;
  std::string Log() const;

 private:
  std::filesystem::path folder_;
  const loopback::ReservedPort admin_port_;
  std::unique_ptr<local::Process> process_;
};

}  // namespace holdfast
