#include "service/tenancy/access_control.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <mutex>

#include "base/files/read_file.h"
#include "base/log/log.h"
#include "service/storage/periodic_task.h"

namespace holdfast::tenancy {
namespace {

// The file as it stands on disk, and the last good state of what it says.
class WatchedFile {
 public:
  explicit WatchedFile(std::string path) : path_(std::move(path)) {}

  Status Open() {
    HOLDFAST_ASSIGN_OR_RETURN(const std::string text, Read());
    return Take(text);
  }

  void Reread() {
    const std::lock_guard lock(mutex_);
    auto text = Read();
    Status status;
    if (!text.ok()) {
      status = std::move(text).error();
    } else {
      const Digest digest = Sha256(*text);
      if (digest == digest_) return;
      status = Take(std::move(text).value());
      digest_ = digest;  // also of a broken one: it is complained of once
      if (status.ok()) log::Info("tokens and rules read again", {{"file", path_}, {"tokens", current()->tokens()}});
    }
    const std::string complaint = status.ok() ? std::string() : status.error().message();
    if (!complaint.empty() && complaint != complaint_) {
      log::Error("the file of tokens and rules cannot be used; the last good one holds", {{"error", complaint}});
    }
    complaint_ = complaint;
  }

  std::shared_ptr<const AccessFile> current() const {
    const std::lock_guard lock(current_mutex_);
    return current_;
  }

 private:
  Result<std::string> Read() const {
    Result<std::string> text = files::ReadFile(path_, kMaxAccessFileBytes);
    if (text.ok()) return text;
    return Error(ErrorCode::kInvalidArgument, text.error().message() + " (setting auth.tokens_file)");
  }

  Status Take(const std::string& text) {
    const Digest digest = Sha256(text);
    HOLDFAST_ASSIGN_OR_RETURN(AccessFile file, AccessFile::Parse(text, path_));
    auto taken = std::make_shared<const AccessFile>(std::move(file));
    {
      const std::lock_guard lock(current_mutex_);
      current_.swap(taken);  // the one before goes without the lock
    }
    digest_ = digest;
    return {};
  }

  const std::string path_;
  // Not an atomic shared_ptr: that of libstdc++ 12 lets go of its lock in load() relaxed, and so lets a reader meet the
  // next writer.
  mutable std::mutex current_mutex_;
  std::shared_ptr<const AccessFile> current_;  // guarded by current_mutex_
  std::mutex mutex_;
  Digest digest_{};        // guarded by mutex_ once opened; of the file that was looked at last
  std::string complaint_;  // guarded by mutex_; what was logged last
};

class Control final : public AccessControl, private Authenticator {
 public:
  Control(const AccessOptions& options, TokenReview review, metrics::Registry& registry, const Clock& clock)
      : mode_(options.mode), clock_(clock), file_(options.file) {
    if (mode_ == AuthMode::kServiceAccount || mode_ == AuthMode::kBoth) {
      service_accounts_ = MakeServiceAccountAuthenticator(std::move(review), options.service_accounts, registry, clock);
    }
  }

  Status Start(std::chrono::microseconds interval) {
    if (!on()) return {};
    HOLDFAST_RETURN_IF_ERROR(file_.Open());
    reader_ = std::make_unique<storage::PeriodicTask>(interval, [this] { file_.Reread(); });
    return {};
  }

  bool on() const override { return mode_ != AuthMode::kNone; }
  Authenticator& authenticator() override { return *this; }
  void Reread() override {
    if (on()) file_.Reread();
  }

  void Stop() override {
    if (service_accounts_ != nullptr) service_accounts_->Stop();
  }

  PolicyPtr policy() const override {
    if (!on()) return nullptr;
    auto file = file_.current();
    return PolicyPtr(file, &file->policy());
  }

  std::optional<Identity> Recognise(const Credentials& credentials) override {
    if (!on()) return Identity::Known(AnonymousPrincipal());
    if (!credentials.bearer.empty()) {
      if (mode_ != AuthMode::kServiceAccount) {
        if (auto principal = file_.current()->FindToken(credentials.bearer, clock_.Now())) {
          return Identity::Known(std::move(principal));
        }
      }
      // A token that is no good is not made up for by a certificate.
      return service_accounts_ != nullptr ? service_accounts_->Recognise(credentials) : Identity::Unknown();
    }
    for (const std::string_view name : credentials.certificate_names) {
      if (auto principal = file_.current()->FindCertificate(name, clock_.Now())) {
        return Identity::Known(std::move(principal));
      }
    }
    return Identity::Unknown();
  }

  void Ask(std::string_view bearer, Done done) override {
    if (service_accounts_ == nullptr) return done(Identity::Unknown());
    service_accounts_->Ask(bearer, std::move(done));
  }

 private:
  const AuthMode mode_;
  const Clock& clock_;
  WatchedFile file_;
  std::unique_ptr<Authenticator> service_accounts_;
  std::unique_ptr<storage::PeriodicTask> reader_;  // last: it uses file_
};

}  // namespace

Result<std::unique_ptr<AccessControl>> AccessControl::Open(const AccessOptions& options, metrics::Registry& registry,
                                                           const Clock& clock) {
  return Open(options, MakeTokenReview(options.review), registry, clock);
}

Result<std::unique_ptr<AccessControl>> AccessControl::Open(const AccessOptions& options, TokenReview review,
                                                           metrics::Registry& registry, const Clock& clock) {
  auto control = std::make_unique<Control>(options, std::move(review), registry, clock);
  HOLDFAST_RETURN_IF_ERROR(control->Start(options.reread_interval));
  return std::unique_ptr<AccessControl>(std::move(control));
}

}  // namespace holdfast::tenancy
