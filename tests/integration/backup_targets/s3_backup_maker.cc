// s3_backup_maker ENDPOINT BUCKET KEYS ID: makes a backup of a small store under that id in a bucket of an S3 server,
// whose keys lie in the folder KEYS, and ends with 0 when it is there and verified. For s3_crash_test.cc, which kills
// it.
#include <cstdio>
#include <string>

#include "tests/integration/backup_targets/target_under_test.h"
#include "tests/s3/s3_server.h"
#include "tests/unit/service/backup/backup_fixture.h"

namespace holdfast::backup {
namespace {

class Maker final : public BackupFixture {
 public:
  // What went wrong; empty: nothing.
  std::string Make(const S3TargetOptions& options, const std::string& id) {
    // Two objects, the first of them in parts.
    backup_options_.create.object_bytes = 2 * kPartBytes;
    for (std::uint32_t i = 0; i < 2; ++i) Put("k" + std::to_string(i), durability::Noise(1'000, i));
    const auto backups = OpenBackups(MakeS3Target(options, "main"));
    return ErrorOf(Create(*backups, id));
  }

 private:
  void TestBody() override {}
};

int Run(const std::vector<std::string>& words) {
  if (words.size() != 4) return 2;
  S3TargetOptions options;
  options.bucket.endpoint = words[0];
  options.bucket.bucket = words[1];
  options.bucket.region = s3_servers::kRegion;
  options.bucket.access_key_file = words[2] + "/access_key";
  options.bucket.secret_key_file = words[2] + "/secret_key";
  options.bucket.part_bytes = kPartBytes;
  const std::string failure = Maker().Make(options, words[3]);
  if (failure.empty()) return 0;
  static_cast<void>(std::fprintf(stderr, "%s\n", failure.c_str()));
  return 1;
}

}  // namespace
}  // namespace holdfast::backup

int main(int count, char** words) {
  return holdfast::backup::Run({words + 1, words + count});
}
