#include "operator/controllers/storagecluster/secret_files.h"

#include <string>
#include <utility>

#include "operator/kube/base64.h"

namespace holdfast::storagecluster {

certificates::Files DecodedFiles(const kube::Json* secret) {
  certificates::Files files;
  if (secret == nullptr || !secret->contains("data") || !secret->at("data").is_object()) return files;
  for (const auto& [name, value] : secret->at("data").items()) {
    auto text = value.is_string() ? kube::Base64Decode(value.get<std::string>()) : Result<std::string>(std::string());
    files[name] = text.ok() ? std::move(text).value() : std::string();
  }
  return files;
}

kube::Json EncodedFiles(const certificates::Files& files) {
  kube::Json data = kube::Json::object();
  for (const auto& [name, text] : files) data[name] = kube::Base64Encode(text);
  return data;
}

}  // namespace holdfast::storagecluster
