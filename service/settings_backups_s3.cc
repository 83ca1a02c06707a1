#include "service/settings_backups_s3.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/files/read_file.h"
#include "service/setting_rows.h"

namespace holdfast::service {
namespace {

constexpr std::size_t kMinBucketBytes = 3;
constexpr std::size_t kMaxBucketBytes = 63;
constexpr std::size_t kMaxPrefixBytes = 512;
constexpr std::int64_t kMaxCaBytes = kMi;

bool IsAllOf(std::string_view text, std::string_view also) {
  return std::all_of(text.begin(), text.end(), [also](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || also.find(c) != std::string_view::npos;
  });
}

// "https://host:port": what HTTP and its certificates are asked for, so without anything that could be lost.
bool IsEndpoint(std::string_view text) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!text.starts_with(scheme)) continue;
    text.remove_prefix(scheme.size());
    const std::string_view host = text.substr(0, text.find(':'));
    const std::string_view port = host.size() == text.size() ? "1" : text.substr(host.size() + 1);
    return !host.empty() && IsAllOf(host, ".-") && !port.empty() && port.size() <= 5 &&
           port.find_first_not_of("0123456789") == std::string_view::npos;
  }
  return false;
}

bool IsBucket(std::string_view text) {
  return text.size() >= kMinBucketBytes && text.size() <= kMaxBucketBytes && IsAllOf(text, ".-") &&
         IsAllOf(text.substr(0, 1), "") && IsAllOf(text.substr(text.size() - 1), "");
}

// Segments such as ".." have a meaning to whatever stands between us and the server.
bool IsPrefix(std::string_view text) {
  if (text.empty()) return true;
  if (text.size() > kMaxPrefixBytes || !IsAllOf(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-/")) return false;
  while (true) {
    const std::size_t slash = text.find('/');
    const std::string_view segment = text.substr(0, slash);
    if (segment.find_first_not_of('.') == std::string_view::npos) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

class Reader {
 public:
  // `place`: "backups" or "backups.source".
  Reader(const config::Settings& settings, std::string place, std::vector<config::Problem>* problems)
      : settings_(settings), place_(std::move(place)), problems_(problems) {}

  std::string Setting() const { return place_ + ".s3"; }
  // What holds for all that is asked of the server; nullopt: there is none.
  std::optional<backup::S3TargetOptions> Read();

  std::string Checked(std::string_view name, bool (*is_one)(std::string_view), std::string_view what) {
    std::string value = Text(name);
    if (is_one(value)) return value;
    // There may be a password in front of it.
    const bool show = value.find('@') == std::string::npos;
    Refuse(name, fmt::format("{} is none: {}", show ? fmt::format("'{}'", value) : "what stands there", what));
    return value;
  }
  std::string Needed(std::string_view name) {
    std::string value = Text(name);
    if (value.empty()) Refuse(name, fmt::format("is needed with {}.endpoint", Setting()));
    return value;
  }
  std::string CaPem() {
    const std::string path = Text("ca_file");
    if (path.empty()) return {};
    const Result<std::string> read = files::ReadFile(path, kMaxCaBytes);
    if (!read.ok() || read->empty()) {
      Refuse("ca_file", fmt::format("cannot take authorities from {}: it has to be there, readable, and hold 1 to {} "
                                    "bytes of PEM",
                                    path, kMaxCaBytes));
    }
    return read.ok() ? *read : std::string();
  }
  std::string Text(std::string_view name) const { return settings_.String(Row(name)); }
  std::chrono::milliseconds Time(std::string_view name) const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(settings_.Duration(Row(name)));
  }
  void Refuse(std::string_view name, std::string why) {
    problems_->push_back({"setting " + Row(name), std::move(why)});
  }

 private:
  std::string Row(std::string_view name) const { return fmt::format("{}.{}", Setting(), name); }

  const config::Settings& settings_;
  const std::string place_;
  std::vector<config::Problem>* const problems_;
};

std::optional<backup::S3TargetOptions> Reader::Read() {
  if (Text("endpoint").empty()) {
    if (!Text("bucket").empty()) Refuse("endpoint", fmt::format("is needed with {}", Row("bucket")));
    return std::nullopt;
  }
  backup::S3TargetOptions options;
  s3::BucketOptions& bucket = options.bucket;
  bucket.setting = Setting();
  bucket.endpoint =
      Checked("endpoint", IsEndpoint, "write it like https://s3.example.com:9000, in lower case and without a path");
  bucket.bucket = Checked(
      "bucket", IsBucket,
      fmt::format("a bucket's name is {} to {} of a-z, 0-9, '.' and '-', and begins and ends with neither of the last",
                  kMinBucketBytes, kMaxBucketBytes));
  options.prefix = Checked("prefix", IsPrefix,
                           fmt::format("it is at most {} of a-z, A-Z, 0-9, '.', '_', '-' and single '/' that stand "
                                       "neither first nor last, and no part of it is only dots",
                                       kMaxPrefixBytes));
  bucket.region = Needed("region");
  bucket.path_style = settings_.Bool(Row("path_style"));
  bucket.ca_pem = CaPem();
  bucket.access_key_file = Needed("access_key_file");
  bucket.secret_key_file = Needed("secret_key_file");
  bucket.part_bytes = static_cast<std::size_t>(settings_.Bytes(Row("part_bytes")));
  bucket.call_timeout = Time("timeout");
  bucket.connect_timeout = Time("connect_timeout");
  bucket.attempts = static_cast<int>(settings_.Integer(Row("attempts")));
  if (!settings_.String(place_ + ".directory").empty()) {
    Refuse("endpoint",
           fmt::format("stands beside {}.directory: they lie in one place, leave one of them empty", place_));
  }
  return options;
}

}  // namespace

void AddBackupsS3(std::vector<config::Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Text("backups.s3.endpoint", "",
               "S3-compatible server that all backups go to, like https://s3.example.com:9000, in place of "
               "backups.directory. Its certificate is checked. Empty = they do not go to one."),
          Text("backups.s3.bucket", "", "Its bucket, which has to be there."),
          Text("backups.s3.prefix", "holdfast",
               "In front of the keys of all backups, which go on with the store's name."),
          Text("backups.s3.region", "us-east-1", "Region that requests are signed for."),
          Flag("backups.s3.path_style", "true",
               "The bucket stands in the path, https://host/bucket/; false = in the name, https://bucket.host/."),
          Text("backups.s3.ca_file", "", "PEM file of the authorities that vouch for it. Empty = the system's."),
          Text("backups.s3.access_key_file", "",
               "File with the access key, on one line. Read for every request: a rotated key is used at once."),
          Text("backups.s3.secret_key_file", "", "File with the secret key, likewise."),
          Choice("backups.s3.server_side_encryption", "none", {"none", "AES256", "aws:kms"},
                 "Header x-amz-server-side-encryption of every object. It does not take the place of "
                 "backups.key_file: the server sees what it encrypts."),
          Text("backups.s3.kms_key_id", "", "Key of aws:kms. Empty = the bucket's own."),
          Bytes("backups.s3.part_bytes", "16Mi", 5 * kMi, kGi,
                "Objects that are larger are sent, and all are read, in parts of so many bytes; a run holds one more "
                "part in memory."),
          Duration("backups.s3.timeout", "1m", kSecond, kHour, "How long one request, and so one part, may take."),
          Duration("backups.s3.connect_timeout", "5s", 100 * kMillisecond, 60 * kSecond,
                   "How long it may take until there is a connection."),
          Integer("backups.s3.attempts", "5", 1, 20,
                  "How often a request is made at most when it has no answer, or one that may pass such as 503."),
      });
}

void AddSourceS3(std::vector<config::Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Text("backups.source.s3.endpoint", "",
               "S3-compatible server that the backups of the other deployment lie on, in place of "
               "backups.source.directory: its backups.s3.endpoint. Empty = they do not lie on one."),
          Text("backups.source.s3.bucket", "", "Its backups.s3.bucket."),
          Text("backups.source.s3.prefix", "holdfast", "Its backups.s3.prefix."),
          Text("backups.source.s3.region", "us-east-1", "As backups.s3.region."),
          Flag("backups.source.s3.path_style", "true", "As backups.s3.path_style."),
          Text("backups.source.s3.ca_file", "", "As backups.s3.ca_file."),
          Text("backups.source.s3.access_key_file", "",
               "File with the access key, as backups.s3.access_key_file. It needs to list the bucket and to read its "
               "objects, and no more."),
          Text("backups.source.s3.secret_key_file", "", "File with the secret key, likewise."),
          Bytes("backups.source.s3.part_bytes", "16Mi", 5 * kMi, kGi, "Objects are read in parts of so many bytes."),
          Duration("backups.source.s3.timeout", "1m", kSecond, kHour, "As backups.s3.timeout."),
          Duration("backups.source.s3.connect_timeout", "5s", 100 * kMillisecond, 60 * kSecond,
                   "As backups.s3.connect_timeout."),
          Integer("backups.source.s3.attempts", "5", 1, 20, "As backups.s3.attempts."),
      });
}

std::optional<backup::S3TargetOptions> ReadBackupsS3(const config::Settings& settings,
                                                     std::vector<config::Problem>* problems) {
  Reader reader(settings, "backups", problems);
  auto options = reader.Read();
  if (!options) return std::nullopt;
  s3::BucketOptions& bucket = options->bucket;
  if (const std::string encryption = reader.Text("server_side_encryption"); encryption != "none") {
    bucket.server_side_encryption = encryption;
  }
  bucket.kms_key_id = reader.Text("kms_key_id");
  if (!bucket.kms_key_id.empty() && bucket.server_side_encryption != "aws:kms") {
    reader.Refuse("kms_key_id", "is of server_side_encryption aws:kms");
  }
  return options;
}

std::optional<backup::S3TargetOptions> ReadSourceS3(const config::Settings& settings,
                                                    std::vector<config::Problem>* problems) {
  auto options = Reader(settings, "backups.source", problems).Read();
  if (options) options->bucket.only_read = true;
  return options;
}

}  // namespace holdfast::service
