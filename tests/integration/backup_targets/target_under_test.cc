#include "tests/integration/backup_targets/target_under_test.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "service/backup/folder_target.h"
#include "service/s3/parts.h"
#include "tests/s3/s3_server.h"
#include "tests/unit/service/durability/store_fixture.h"

namespace holdfast::backup {
namespace {

using s3_servers::S3Server;

class FolderUnderTest final : public TargetUnderTest {
 public:
  explicit FolderUnderTest(std::string folder) : folder_(std::move(folder)) {}

  std::shared_ptr<Target> Open(const std::string& store) override { return MakeFolderTarget(folder_, store); }
  void LeaveHalf(const ObjectName& name) override {
    const std::filesystem::path backup = std::filesystem::path(folder_) / "main" / name.backup;
    std::filesystem::create_directories(backup);
    durability::WriteFile(backup / (name.object + ".partial"), "half");
  }

 private:
  const std::string folder_;
};

class S3UnderTest final : public TargetUnderTest {
 public:
  explicit S3UnderTest(S3TargetOptions options) : options_(std::move(options)) {}

  std::shared_ptr<Target> Open(const std::string& store) override { return MakeS3Target(options_, store); }
  void LeaveHalf(const ObjectName& name) override {
    const std::string key = options_.prefix + "/main/" + Show(name);
    s3::Caller caller(options_.bucket);
    const auto begun = s3::BeginUpload(caller, key, {}, Deadline::Infinite());
    ASSERT_TRUE(begun.ok()) << begun.error().ToString();
    ASSERT_TRUE(s3::SendPart(caller, key, begun->upload, 1, "half", Deadline::Infinite()).ok());
  }

 private:
  const S3TargetOptions options_;
};

S3TargetOptions BucketOf(const S3Server& server, const std::string& kind) {
  static std::atomic<int> made{0};
  S3TargetOptions options;
  options.bucket = server.MakeBucket(kind + '-' + std::to_string(++made));
  options.bucket.part_bytes = kPartBytes;
  options.bucket.page = 3;
  options.prefix = "some/where";
  return options;
}

}  // namespace

std::vector<std::string> TargetNames() {
  return {"folder", "s3"};
}

std::unique_ptr<TargetUnderTest> MakeTarget(const std::string& name, const std::string& folder) {
  if (name == "folder") return std::make_unique<FolderUnderTest>(folder);
  return std::make_unique<S3UnderTest>(FreshBucket());
}

S3TargetOptions FreshBucket(const std::string& kind) {
  return BucketOf(s3_servers::SharedServer(), kind);
}

}  // namespace holdfast::backup
