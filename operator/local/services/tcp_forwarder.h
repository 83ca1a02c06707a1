// Passes TCP connections on from addresses of Services to pods, as kube-proxy does: each connection goes to one of the
// targets at the moment, by turns. An address without targets is not listened on, so connections are refused. Other
// than under kube-proxy, connections to a target that is neither one any more nor leaving are reset at once.
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result/result.h"

namespace holdfast::local {

struct ForwardTarget {
  std::string address;
  std::uint16_t port = 0;
  std::string id;  // a target of another id at the same place is another one
  auto operator<=>(const ForwardTarget&) const = default;
};

struct ForwardRule {
  std::string address;  // IPv4
  std::uint16_t port = 0;
  std::vector<ForwardTarget> targets;
  std::vector<ForwardTarget> leaving = {};  // keep their connections and get no new ones, while there are targets
};

class TcpForwarder {
 public:
  TcpForwarder();
  // Resets every connection.
  ~TcpForwarder();

  // What is forwarded from now on. Holds when it returns. The rules that could not be listened for are told, and are
  // tried again at the next call.
  std::vector<Error> Apply(std::vector<ForwardRule> rules);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::local
