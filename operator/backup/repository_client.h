// Questions to the pods of a backend with backups, and the one order that the repository's gets; over TLS, where the
// operator shows a certificate of the cluster's authority. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/backup/decision.h"
#include "operator/backup/report.h"

namespace holdfast::backup {

struct Tls {
  std::string authority;  // PEM, all three
  std::string certificate;
  std::string key;
};

struct Endpoint {
  std::string address;  // of the pod, so that one just made anew is reached before the cluster's DNS knows of it
  std::string name;     // what its certificate is held against
  std::shared_ptr<const Tls> tls;
};

class RepositoryClient {
 public:
  virtual ~RepositoryClient() = default;
  // An error: it did not answer, or not sensibly.
  virtual Result<Report> Ask(const Endpoint& repository, Deadline deadline) = 0;
  virtual Result<Archiver> AskServer(const Endpoint& server, Deadline deadline) = 0;
  // Of `step`, which is not kNone, at most for `timeout`. Ok: it has begun, or its tick has its backup, or something
  // else is under way; which, the next question tells.
  virtual Status Begin(const Endpoint& repository, const Step& step, std::chrono::seconds timeout,
                       Deadline deadline) = 0;
};

std::shared_ptr<RepositoryClient> MakeRepositoryClient();

}  // namespace holdfast::backup
