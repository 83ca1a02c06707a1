#include "operator/local/process_runner/address_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

namespace holdfast::local {
namespace {

constexpr int kAddresses = 254;
// Pods whose address is remembered though they do not run.
constexpr std::size_t kRemembered = 1000;

}  // namespace

AddressBook::AddressBook(std::filesystem::path file, std::string network)
    : file_(std::move(file)), network_(std::move(network)) {
  std::ifstream stream(file_);
  nlohmann::json book = nlohmann::json::parse(stream, nullptr, false);
  if (!book.is_object()) return;
  for (const auto& [pod, address] : book.items()) {
    if (address.is_string() && address.get<std::string>().starts_with(network_ + ".")) address_by_pod_[pod] = address;
  }
}

Result<std::string> AddressBook::Take(const std::string& ns, const std::string& pod) {
  std::lock_guard lock(mutex_);
  std::string name = ns + "/" + pod;
  auto known = address_by_pod_.find(name);
  if (known != address_by_pod_.end() && in_use_.insert(known->second).second) return known->second;
  for (int pass = 0; pass < 2; ++pass) {
    for (int number = 1; number <= kAddresses; ++number) {
      std::string address = fmt::format("{}.{}", network_, number);
      bool promised = std::any_of(address_by_pod_.begin(), address_by_pod_.end(),
                                  [&](const auto& each) { return each.second == address && each.first != name; });
      if ((promised && pass == 0) || in_use_.contains(address)) continue;
      if (promised) std::erase_if(address_by_pod_, [&](const auto& each) { return each.second == address; });
      in_use_.insert(address);
      if (address_by_pod_.size() >= kRemembered) address_by_pod_.clear();
      address_by_pod_[name] = address;
      Save();
      return address;
    }
  }
  return Error(ErrorCode::kResourceExhausted, fmt::format("all {} loopback addresses for pods are in use", kAddresses));
}

void AddressBook::Release(const std::string& ns, const std::string& pod) {
  std::lock_guard lock(mutex_);
  auto known = address_by_pod_.find(ns + "/" + pod);
  if (known != address_by_pod_.end()) in_use_.erase(known->second);
}

void AddressBook::Save() const {
  std::filesystem::path fresh = file_;
  fresh += ".new";
  std::ofstream(fresh) << nlohmann::json(address_by_pod_).dump(2) << '\n';
  std::error_code ignored;  // an address that is forgotten is only a different address next time
  std::filesystem::rename(fresh, file_, ignored);
}

}  // namespace holdfast::local
