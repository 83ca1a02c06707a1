// The places that backups can go to, each as a test has to handle it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "service/backup/s3_target.h"
#include "service/backup/target.h"

namespace holdfast::backup {

// With which objects are cut into parts by targets that do so.
inline constexpr std::size_t kPartBytes = 1'000;

class TargetUnderTest {
 public:
  virtual ~TargetUnderTest() = default;
  virtual std::shared_ptr<Target> Open(const std::string& store) = 0;
  // What a Put of that name to store "main" leaves when its process is killed in its middle.
  virtual void LeaveHalf(const ObjectName& name) = 0;
};

// "folder" and "s3". A fresh place each time; `folder` is for what lies in files.
std::vector<std::string> TargetNames();
std::unique_ptr<TargetUnderTest> MakeTarget(const std::string& name, const std::string& folder);

// A fresh bucket of the shared server, with small parts and pages. `kind`: what its name begins with
// (S3Server::MakeBucket).
S3TargetOptions FreshBucket(const std::string& kind = "bucket");

}  // namespace holdfast::backup
