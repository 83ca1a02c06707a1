// A real S3 server of the test's own: OpenStack Swift with its s3api in one process (swift_server.py), in a private
// folder, on ports of its own on 127.0.0.1. Gone, with its folder, when the object goes and when the test dies in
// whatever way. What it keeps goes with it.
//
//   auto server = S3Server::Start({.tls = true}).value();
//   const s3::BucketOptions bucket = server->MakeBucket("backups");
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result/result.h"
#include "service/s3/bucket_options.h"
#include "tests/postgres/sandbox.h"
#include "tests/postgres/server_process.h"

namespace holdfast::s3_servers {

inline constexpr const char* kAccessKey = "test:holdfast";
inline constexpr const char* kSecretKey = "only-for-tests-of-backups";
inline constexpr const char* kRegion = "eu-test-1";

struct ServerOptions {
  bool tls = false;  // a certificate of an authority of its own, for 127.0.0.1 and localhost
};

class S3Server {
 public:
  // Ready to serve at return.
  static Result<std::unique_ptr<S3Server>> Start(const ServerOptions& options = {});
  ~S3Server();

  std::uint16_t port() const { return port_; }
  std::string url() const;
  // PEM; only with TLS.
  const std::string& ca_pem() const { return ca_pem_; }
  std::filesystem::path ca_file() const { return sandbox_->folder() / "ca.pem"; }
  // With the keys above.
  std::filesystem::path access_key_file() const { return sandbox_->folder() / "access_key"; }
  std::filesystem::path secret_key_file() const { return sandbox_->folder() / "secret_key"; }
  // Of a bucket that is there or not; hardly any pause between attempts.
  s3::BucketOptions Options(const std::string& bucket) const;
  // One that was not there before. What its server does with "If-None-Match: *" follows from its name
  // (swift_server.py): conditional-... creates conditionally, careless-... does not look at it, any other refuses it.
  // Aborts with the reason when it cannot be made: a test has nothing to add.
  s3::BucketOptions MakeBucket(const std::string& bucket) const;

  // SIGKILL. Reaped at return.
  void Kill() { process_.reset(); }

 private:
  explicit S3Server(std::unique_ptr<postgres_servers::Sandbox> sandbox) : sandbox_(std::move(sandbox)) {}
  void WriteFiles(const ServerOptions& options);
  Status AwaitPort();

  std::unique_ptr<postgres_servers::Sandbox> sandbox_;
  std::string ca_pem_;
  std::uint16_t port_ = 0;
  std::unique_ptr<postgres_servers::ServerProcess> process_;
};

// For all cases of a test program that need nothing special: started at the first call, ended with the program. Aborts
// with the reason when it cannot be started. Thread-safe. Each case makes a bucket of its own.
S3Server& SharedServer();
// The same with TLS.
S3Server& SharedTlsServer();

}  // namespace holdfast::s3_servers
