#include "operator/api/v1/s3_repository_fields.h"

#include <utility>

#include "operator/api/v1/postgres_fields.h"

namespace holdfast::api {
namespace {

constexpr char kAccessKeyReference[] = "accessKeySecretRef";
constexpr char kSecretKeyReference[] = "secretKeySecretRef";
constexpr char kAuthorityReference[] = "caSecretRef";
// pgBackRest speaks TLS only and compares certificates with names only, never with addresses: the last label has a
// letter.
constexpr char kEndpointPattern[] = "^https://([-a-zA-Z0-9]+[.])*[-a-zA-Z0-9]*[a-zA-Z][-a-zA-Z0-9]*(:[0-9]{1,5})?$";
// Without what would be another object in the store than in a path.
constexpr char kPrefixPattern[] = "^[A-Za-z0-9][-_.A-Za-z0-9]*(/[A-Za-z0-9][-_.A-Za-z0-9]*)*$";

Field Text(std::string name, std::string description, std::size_t length, const char* pattern, const char* words) {
  return {.name = std::move(name),
          .type = FieldType::kString,
          .description = std::move(description),
          .required = true,
          .max_length = length,
          .pattern = pattern,
          .pattern_words = words};
}

Field RequiredKey(const char* name, const char* description) {
  Field reference = KeyReference(name, description, "Secret");
  reference.required = true;
  return reference;
}

SecretKey ReadKey(const Json& reference) {
  return {reference.at("name").get<std::string>(), reference.at("key").get<std::string>()};
}

}  // namespace

Field S3RepositoryFields(std::string description) {
  Field region = Text("region", "The region that requests are signed for.", 64, "^[A-Za-z0-9][-_A-Za-z0-9]*$",
                      "letters, digits, dashes and underscores");
  region.required = false;
  region.default_value = "us-east-1";
  return {
      .name = "s3",
      .description = std::move(description),
      .fields = {
          Text("endpoint",
               "Where it is, such as https://s3.example.com:9000. A name, since its certificate is held "
               "against it; without TLS nothing is sent.",
               253, kEndpointPattern, "https:// with the name of a host, not its address, and perhaps a port"),
          Text("bucket", "The bucket, which has to be there.", 63, "^[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]$",
               "the name of a bucket"),
          Text("prefix",
               "In front of the keys of all objects. Of this repository alone: no other backend, of no other "
               "cluster either, may have it.",
               256, kPrefixPattern, "parts of letters, digits, dashes, dots and underscores, with a slash between two"),
          std::move(region),
          {.name = "pathStyle",
           .type = FieldType::kBoolean,
           .description = "The bucket stands in the path, https://host/bucket/; otherwise in the name, "
                          "https://bucket.host/.",
           .default_value = true},
          RequiredKey(kAccessKeyReference,
                      "The access key, in a Secret of the cluster's own namespace. Only the repository's pod "
                      "mounts it. Another one that is put there is used without a restart."),
          RequiredKey(kSecretKeyReference, "The secret key, likewise."),
          KeyReference(kAuthorityReference,
                       "The authorities that vouch for the endpoint's certificate, in PEM; the image's own "
                       "when absent.",
                       "Secret")}};
}

std::optional<S3Repository> ReadS3Repository(const Json& owner) {
  if (!owner.contains("s3")) return std::nullopt;
  const Json& object = owner.at("s3");
  S3Repository s3{.endpoint = object.at("endpoint").get<std::string>(),
                  .bucket = object.at("bucket").get<std::string>(),
                  .prefix = object.at("prefix").get<std::string>(),
                  .region = object.at("region").get<std::string>(),
                  .path_style = object.at("pathStyle").get<bool>(),
                  .access_key = ReadKey(object.at(kAccessKeyReference)),
                  .secret_key = ReadKey(object.at(kSecretKeyReference))};
  if (object.contains(kAuthorityReference)) s3.authority = ReadKey(object.at(kAuthorityReference));
  return s3;
}

}  // namespace holdfast::api
