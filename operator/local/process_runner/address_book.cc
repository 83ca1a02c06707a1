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

std::string AddressBook::AddressNumber(int number) const {
  return number == 0 ? first_ : fmt::format("127.0.1.{}", number);
}

AddressBook::AddressBook(std::filesystem::path file, std::string first)
    : file_(std::move(file)), first_(std::move(first)) {
  std::ifstream stream(file_);
  nlohmann::json book = nlohmann::json::parse(stream, nullptr, false);
  if (!book.is_object()) return;
  for (const auto& [pod, address] : book.items()) {
    if (address.is_string() && address.get<std::string>().starts_with("127.")) address_by_pod_[pod] = address;
  }
}

Result<std::string> AddressBook::Take(const std::string& ns, const std::string& pod) {
  std::lock_guard lock(mutex_);
  std::string name = ns + "/" + pod;
  auto known = address_by_pod_.find(name);
  if (known != address_by_pod_.end() && in_use_.insert(known->second).second) return known->second;
  for (int pass = 0; pass < 2; ++pass) {
    for (int number = 0; number <= kAddresses; ++number) {
      std::string address = AddressNumber(number);
      bool promised = std::any_of(address_by_pod_.begin(), address_by_pod_.end(),
                                  [&](const auto& each) { return each.second == address && each.first != name; });
      // The first address is where people look, so it is kept for nobody who is not there.
      if ((promised && pass == 0 && number != 0) || in_use_.contains(address)) continue;
      if (promised) std::erase_if(address_by_pod_, [&](const auto& each) { return each.second == address; });
      in_use_.insert(address);
      if (address_by_pod_.size() >= kRemembered) address_by_pod_.clear();
      address_by_pod_[name] = address;
      Save();
      return address;
    }
  }
  return Error(ErrorCode::kResourceExhausted,
               fmt::format("all {} loopback addresses for pods are in use", kAddresses + 1));
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
