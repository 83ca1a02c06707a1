// What networks and S3 servers do to requests, at each of them: what may pass is tried again, what may not is said with
// its setting, half an object is never there, and nothing stays behind.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/integration/backup_targets/target_under_test.h"
#include "tests/s3/s3_proxy.h"
#include "tests/s3/s3_server.h"
#include "tests/unit/service/backup/backup_fixture.h"

namespace holdfast::backup {
namespace {

using s3_servers::Fault;
using s3_servers::S3Proxy;
using storage::BackupAction;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const ObjectName kName{"a", "1"};
// Begun, three parts, completed.
constexpr int kRequestsOfAnUpload = 5;
constexpr std::size_t kBytes = 2 * kPartBytes + 100;

class S3Faults : public BackupFixture {
 protected:
  S3Faults() { options_through_.bucket.endpoint = proxy_.url(); }

  std::shared_ptr<Target> Through() const { return MakeS3Target(options_through_, "main"); }
  static std::vector<std::string> List(Target& target) {
    std::vector<std::string> names;
    const auto objects = target.List("", Deadline::Infinite());
    EXPECT_TRUE(objects.ok()) << objects.error().ToString();
    if (!objects.ok()) return names;
    for (const StoredObject& object : *objects) names.push_back(Show(object.name));
    return names;
  }
  static S3Proxy::Decide At(int request, Fault fault) {
    return [=](int number, const std::string&) { return number == request ? fault : Fault::kNone; };
  }
  static S3Proxy::Decide From(int request, Fault fault) {
    return [=](int number, const std::string&) { return number >= request ? fault : Fault::kNone; };
  }

  const S3TargetOptions options_direct_ = FreshBucket();
  S3TargetOptions options_through_ = options_direct_;
  const std::shared_ptr<Target> direct_ = MakeS3Target(options_direct_, "main");
  S3Proxy proxy_{s3_servers::SharedServer().port()};
};

TEST_F(S3Faults, WithoutOneAnUploadIsSoManyRequests) {
  ASSERT_TRUE(Through()->Put(kName, durability::Noise(kBytes), Deadline::Infinite()).ok());
  EXPECT_THAT(proxy_.heads(), SizeIs(kRequestsOfAnUpload));
}

TEST_F(S3Faults, WhatHappensOnceAtAnyRequestOfAnUploadIsTriedAgain_fault) {
  const auto target = Through();
  std::vector<std::pair<Fault, int>> all = {{Fault::kRefuse, 0},
                                            {Fault::kSlowDown, 0},
                                            {Fault::kSlowDown, 2},
                                            {Fault::kFlipRequest, 2},
                                            {Fault::kFlipRequest, 4}};
  for (int request = 0; request < kRequestsOfAnUpload; ++request) {
    all.insert(all.end(), {{Fault::kCutRequest, request}, {Fault::kSwallowAnswer, request}});
  }
  std::uint32_t seed = 0;
  for (const auto& [fault, request] : all) {
    const std::string what = fmt::format("fault {} at request {}", static_cast<int>(fault), request);
    const std::string bytes = durability::Noise(kBytes, ++seed);
    proxy_.Strike(At(request, fault));
    const Status put = target->Put(kName, bytes, Deadline::Infinite());
    ASSERT_TRUE(put.ok()) << what << ": " << put.error().ToString();
    EXPECT_GT(proxy_.heads().size(), std::size_t{kRequestsOfAnUpload}) << what;
    EXPECT_EQ(*direct_->Get(kName, kBytes, Deadline::Infinite()), bytes) << what;
    EXPECT_THAT(List(*direct_), ElementsAre("a/1")) << what << ": an upload is left";
  }
}

TEST_F(S3Faults, AServerThatGoesInMidUploadLeavesTheOldObjectOrTheNewOne_fault) {
  const auto target = Through();
  const std::string old = "old";
  const std::string fresh = durability::Noise(kBytes);
  for (const Fault fault : {Fault::kCutRequest, Fault::kSwallowAnswer}) {
    for (int request = 0; request < kRequestsOfAnUpload; ++request) {
      const std::string what = fmt::format("fault {} from request {} on", static_cast<int>(fault), request);
      ASSERT_TRUE(direct_->Put(kName, old, Deadline::Infinite()).ok());
      proxy_.Strike(From(request, fault));
      const Status put = target->Put(kName, fresh, Deadline::Infinite());
      ASSERT_FALSE(put.ok()) << what;
      EXPECT_THAT(put.error().code(), AnyOf(ErrorCode::kUnavailable, ErrorCode::kOutcomeUnknown)) << what;
      EXPECT_THAT(put.error().message(), HasSubstr("backups.s3.attempts")) << what;
      const bool done = fault == Fault::kSwallowAnswer && request == kRequestsOfAnUpload - 1;
      EXPECT_EQ(*direct_->Get(kName, kBytes, Deadline::Infinite()), done ? fresh : old) << what;
      if (done) {
        EXPECT_EQ(put.error().code(), ErrorCode::kOutcomeUnknown) << what;
      }
      proxy_.Strike(nullptr);
      ASSERT_TRUE(target->Delete(kName, Deadline::Infinite()).ok()) << what;
      EXPECT_THAT(List(*direct_), IsEmpty()) << what;
    }
  }
}

TEST_F(S3Faults, WhatHappensOnceAtAnyOtherRequestIsTriedAgain_fault) {
  const auto target = Through();
  const std::string bytes = durability::Noise(kBytes);
  ASSERT_TRUE(direct_->Put(kName, bytes, Deadline::Infinite()).ok());
  for (const Fault fault : {Fault::kSwallowAnswer, Fault::kSlowDown}) {
    for (int request = 0; request < 2; ++request) {
      proxy_.Strike(At(request, fault));
      EXPECT_EQ(*target->Get(kName, kBytes, Deadline::Infinite()), bytes);
      EXPECT_THAT(proxy_.heads(), SizeIs(4)) << "three ranges, and one again";
      proxy_.Strike(At(request, fault));
      EXPECT_THAT(List(*target), ElementsAre("a/1"));
      EXPECT_THAT(proxy_.heads(), SizeIs(3)) << "objects and uploads, and one again";
      proxy_.Strike(At(request, fault));
      EXPECT_TRUE(target->Delete({"a", "2"}, Deadline::Infinite()).ok());
    }
  }
}

TEST_F(S3Faults, AListIsWholeOrAnErrorWhicheverOfItsPagesIsLost_fault) {
  std::vector<std::string> names;
  for (const char* const object : {"1", "2", "3", "4", "5", "6", "7"}) {
    names.push_back(std::string("a/") + object);
    ASSERT_TRUE(direct_->Put({"a", object}, "v", Deadline::Infinite()).ok());
  }
  const auto target = Through();
  for (int page = 0; page < 3; ++page) {
    proxy_.Strike(At(page, Fault::kSwallowAnswer));
    EXPECT_EQ(List(*target), names) << page;
    EXPECT_THAT(proxy_.heads(), SizeIs(5)) << "three pages, one again, and the uploads";
    proxy_.Strike(At(page, Fault::kFlipAnswer));
    const auto broken = target->List("", Deadline::Infinite());
    ASSERT_FALSE(broken.ok()) << page;
    EXPECT_EQ(broken.error().code(), ErrorCode::kUnavailable) << broken.error().ToString();
  }
}

TEST_F(S3Faults, SlowDownIsObeyedUntilTheAttemptsAreUsedUp_fault) {
  proxy_.Strike(From(0, Fault::kSlowDown));
  const Status put = Through()->Put(kName, "v", Deadline::Infinite());
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().code(), ErrorCode::kUnavailable) << "the server says that it did not do it";
  EXPECT_THAT(put.error().message(), HasSubstr("503 SlowDown"));
  EXPECT_THAT(put.error().message(), HasSubstr("5 of 5 attempts (backups.s3.attempts)"));
  EXPECT_THAT(proxy_.heads(), SizeIs(options_through_.bucket.attempts));
  proxy_.Strike(nullptr);
  EXPECT_THAT(List(*direct_), IsEmpty());
}

TEST_F(S3Faults, ALongPauseThatTheServerAsksForEndsAtTheDeadlineAndNotBehindIt_fault) {
  proxy_.Strike(From(0, Fault::kSlowDownLong));
  const Status put = Through()->Put(kName, "v", Deadline::After(std::chrono::seconds{50}));
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().code(), ErrorCode::kDeadlineExceeded) << put.error().ToString();
  EXPECT_THAT(put.error().message(), HasSubstr("1 of 5 attempts (backups.s3.attempts) at the deadline"));
  EXPECT_THAT(proxy_.heads(), SizeIs(1)) << "it was asked to wait for a minute at least";
}

TEST_F(S3Faults, AServerThatDoesNotAnswerEndsWithTheTimeoutOrTheDeadline_fault) {
  options_through_.bucket.attempts = 2;
  // On a busy machine one of them may pass before anything was sent.
  for (std::chrono::milliseconds timeout{300}; proxy_.heads().empty(); timeout *= 2) {
    proxy_.Strike(From(0, Fault::kHold));
    options_through_.bucket.call_timeout = timeout;
    const ErrorCode code = Through()->Put(kName, "v", Deadline::Infinite()).error().code();
    const bool sent = !proxy_.heads().empty();
    EXPECT_TRUE(code == ErrorCode::kOutcomeUnknown || (!sent && code == ErrorCode::kDeadlineExceeded));
  }
  EXPECT_EQ(Through()->Get(kName, 1, Deadline::Infinite()).error().code(), ErrorCode::kDeadlineExceeded);
  options_through_.bucket.call_timeout = std::chrono::hours{1};
  options_through_.bucket.attempts = 20;
  const auto get = Through()->Get(kName, 1, Deadline::After(std::chrono::milliseconds{300}));
  EXPECT_EQ(get.error().code(), ErrorCode::kDeadlineExceeded) << get.error().ToString();
}

TEST_F(S3Faults, WrongSettingsAreRefusedAtOnceAndNamed) {
  const auto refused = [this](const S3TargetOptions& options, const std::string& about) {
    proxy_.Strike(nullptr);
    const Status put = MakeS3Target(options, "main")->Put(kName, "v", Deadline::Infinite());
    ASSERT_FALSE(put.ok()) << about;
    EXPECT_EQ(put.error().code(), ErrorCode::kFailedPrecondition) << put.error().ToString();
    EXPECT_THAT(put.error().message(), HasSubstr(about));
    EXPECT_THAT(put.error().message(), Not(HasSubstr("nobodys-key")));
    EXPECT_THAT(put.error().message(), Not(HasSubstr(s3_servers::kSecretKey)));
    EXPECT_LE(proxy_.heads().size(), 1u) << "it was tried again";
  };
  const auto wrong = [this](const std::string& name) {
    const std::string path = (folder_ / name).string();
    durability::WriteFile(path, "nobodys-key:" + name + "\n");
    return path;
  };
  S3TargetOptions options = options_through_;
  options.bucket.bucket = "no-such-bucket";
  refused(options, "there is no bucket no-such-bucket (backups.s3.bucket)");
  options = options_through_;
  options.bucket.secret_key_file = wrong("secret");
  refused(options, "backups.s3.secret_key_file");
  options = options_through_;
  options.bucket.access_key_file = wrong("access");
  refused(options, "backups.s3.access_key_file");
  options = options_through_;
  options.bucket.access_key_file = (folder_ / "none").string();
  refused(options, "backups.s3.access_key_file");
  options = options_through_;
  options.bucket.region = "elsewhere-1";
  refused(options, "backups.s3.region is elsewhere-1");
  EXPECT_TRUE(Through()->Put(kName, "v", Deadline::Infinite()).ok()) << "the control";
}

TEST_F(S3Faults, EncryptionByTheServerIsAskedForWithEveryObjectAndItsRefusalNamed) {
  options_through_.bucket.server_side_encryption = "AES256";
  for (const std::size_t size : {std::size_t{1}, kBytes}) {
    proxy_.Strike(nullptr);
    const Status put = Through()->Put(kName, durability::Noise(size), Deadline::Infinite());
    // Swift has it as a middleware of its own, and says so where it is not set up.
    ASSERT_FALSE(put.ok());
    EXPECT_EQ(put.error().code(), ErrorCode::kNotSupported) << put.error().ToString();
    EXPECT_THAT(put.error().message(), HasSubstr("backups.s3.server_side_encryption (AES256)"));
    EXPECT_THAT(proxy_.heads(), ElementsAre(HasSubstr("x-amz-server-side-encryption:AES256")));
  }
  proxy_.Strike(nullptr);
  const Status put = Through()->PutNew(kName, "v", Deadline::Infinite());
  EXPECT_EQ(put.error().code(), ErrorCode::kNotSupported) << put.error().ToString();
  EXPECT_THAT(put.error().message(), HasSubstr("backups.s3.server_side_encryption (AES256)"));
  EXPECT_THAT(proxy_.heads(), testing::Each(HasSubstr("x-amz-server-side-encryption:AES256")));
}

TEST_F(S3Faults, TheSecretKeyIsInNoRequest) {
  ASSERT_TRUE(Through()->Put(kName, durability::Noise(kBytes), Deadline::Infinite()).ok());
  ASSERT_THAT(proxy_.heads(), Not(IsEmpty()));
  for (const std::string& head : proxy_.heads()) {
    EXPECT_THAT(head, HasSubstr("Authorization:AWS4-HMAC-SHA256"));
    EXPECT_THAT(head, Not(HasSubstr(s3_servers::kSecretKey)));
  }
}

TEST_F(S3Faults, ACertificateThatNobodyVouchesForIsRefused) {
  const s3_servers::S3Server& server = s3_servers::SharedTlsServer();
  S3TargetOptions options;
  options.bucket = server.MakeBucket("over-tls");
  options.bucket.part_bytes = kPartBytes;
  const std::string bytes = durability::Noise(kBytes);
  const auto trusting = MakeS3Target(options, "main");
  ASSERT_TRUE(trusting->Put(kName, bytes, Deadline::Infinite()).ok());
  EXPECT_EQ(*trusting->Get(kName, kBytes, Deadline::Infinite()), bytes);
  options.bucket.ca_pem.clear();
  options.bucket.attempts = 1;
  EXPECT_EQ(MakeS3Target(options, "main")->Get(kName, kBytes, Deadline::Infinite()).error().code(),
            ErrorCode::kUnavailable);
}

class S3BackupFaults : public S3Faults {
 protected:
  S3BackupFaults() {
    backup_options_.create.object_bytes = kBytes;
    backup_options_.verify = false;
    for (std::uint32_t i = 0; i < 4; ++i) Put("k" + std::to_string(i), durability::Noise(1'000, i));
  }
};

TEST_F(S3BackupFaults, AServerThatGoesInTheMiddleOfABackupLeavesNone_fault) {
  // Each time a place where nothing is yet, so that the requests are the same ones.
  const auto open = [](S3TargetOptions options, const std::string& prefix) {
    options.prefix = prefix;
    return std::shared_ptr<Target>(MakeS3Target(options, "main"));
  };
  ASSERT_FALSE(Create(*OpenBackups(open(options_through_, "control")), "one").error);
  const std::vector<std::string> heads = proxy_.heads();
  const auto manifest = std::find_if(heads.begin(), heads.end(), [](const std::string& head) {
    return head.starts_with("PUT ") && head.find("/manifest ") != std::string::npos;
  });
  ASSERT_NE(manifest, heads.end());
  const int last = static_cast<int>(manifest - heads.begin());
  ASSERT_GT(last, 8);
  clock_.JumpTo(SystemClock().Now() + std::chrono::hours{2});
  for (int request = last % 3; request <= last; request += 3) {
    const std::string prefix = fmt::format("cut-{}", request);
    proxy_.Strike(From(request, Fault::kCutRequest));
    EXPECT_TRUE(Create(*OpenBackups(open(options_through_, prefix)), "one").error) << prefix;
    const auto direct = open(options_direct_, prefix);
    const auto backups = OpenBackups(direct);
    EXPECT_THAT(*backups->List(Deadline::Infinite()), IsEmpty()) << prefix;
    EXPECT_FALSE(Do(*backups, BackupAction::kPrune).error) << prefix;
    EXPECT_THAT(List(*direct), IsEmpty()) << prefix << ": something was left behind";
  }
  EXPECT_FALSE(Do(*OpenBackups(open(options_direct_, "control")), BackupAction::kVerify, "one").error);
}

TEST_F(S3BackupFaults, AManifestWhoseAnswerIsLostIsSaidToBeUnknownAndTheBackupIsWhole_fault) {
  const auto through = OpenBackups(Through());
  proxy_.Strike([](int, const std::string& head) {
    const bool manifest = head.starts_with("PUT ") && head.find("/manifest ") != std::string::npos;
    return manifest ? Fault::kSwallowAnswer : Fault::kNone;
  });
  const storage::BackupRun run = Create(*through, "one");
  EXPECT_EQ(CodeOf(run), ErrorCode::kOutcomeUnknown);
  EXPECT_THAT(ErrorOf(run), HasSubstr("may or may not be there"));
  const auto backups = OpenBackups(direct_);
  EXPECT_THAT(IdsOf(*backups->List(Deadline::Infinite())), ElementsAre("one"));
  EXPECT_FALSE(Do(*backups, BackupAction::kVerify, "one").error);
}

TEST_F(S3BackupFaults, AByteThatChangesOnItsWayBackIsCorruptionAndTouchesNothing_fault) {
  const auto through = OpenBackups(Through());
  ASSERT_FALSE(Create(*through, "one").error);
  Put("k1", "live");
  const auto live = Rows();
  int damaged = 0;
  for (int which = 0; which < 4; ++which) {
    proxy_.Strike([which, seen = 0](int, const std::string& head) mutable {
      const bool reads = head.find("/main/one/") != std::string::npos && head.find("/verified ") == std::string::npos;
      return reads && seen++ == which ? Fault::kFlipAnswer : Fault::kNone;
    });
    const storage::BackupRun run = Do(*through, BackupAction::kRestore, "one");
    EXPECT_EQ(CodeOf(run), ErrorCode::kCorruption) << which;
    ++damaged;
    EXPECT_EQ(Rows(), live) << which;
    EXPECT_THAT(Files(), IsEmpty()) << "an undo was taken";
  }
  EXPECT_EQ(damaged, 4);
  proxy_.Strike(nullptr);
  EXPECT_FALSE(Do(*through, BackupAction::kRestore, "one").error) << "the control";
}

}  // namespace
}  // namespace holdfast::backup
