// URLs of a Redis. What is accepted can be spelled out again and means the same; a refusal names the field and quotes
// nothing of the rest.
#include <string>

#include "base/redis/url.h"
#include "tests/fuzz/input.h"

namespace {

using holdfast::redis::Address;
using holdfast::redis::Target;

std::string Encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kDigits[byte >> 4];
    encoded += kDigits[byte & 15];
  }
  return encoded;
}

std::string Spelled(const Target& target) {
  const Address& first = target.addresses.front();
  const bool unix_socket = !first.unix_path.empty();
  const bool sentinels = target.topology == Target::Topology::kSentinel;
  std::string url = unix_socket ? "unix" : target.tls ? "rediss" : "redis";
  if (sentinels) url += "+sentinel";
  if (target.topology == Target::Topology::kCluster) url += "+cluster";
  url += "://";
  if (!target.user.empty() || !target.password.empty()) {
    url.append(Encoded(target.user)).append(":").append(Encoded(target.password)).append("@");
  }
  if (unix_socket) {
    // The slash that begins the path cannot be encoded.
    return url.append("/")
        .append(Encoded(first.unix_path.substr(1)))
        .append("?db=")
        .append(std::to_string(target.database));
  }
  for (const Address& address : target.addresses) {
    if (&address != &first) url += ',';
    url += address.ToString();
  }
  if (sentinels) url.append("/").append(Encoded(target.master));
  return url.append("/").append(std::to_string(target.database));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::redis;
  using holdfast::fuzz::Check;
  holdfast::fuzz::Input input(data, size);
  const holdfast::Result<Target> target = ParseUrl(input.Rest(), "field");
  if (!target.ok()) {
    Check(target.error().message().starts_with("field "), "a refusal names the field");
    Check(target.error().message().size() < 200, "a refusal is short");
    return 0;
  }
  Check(!target->addresses.empty(), "there is an address");
  Check(target->database >= 0 && target->database <= kMaxDatabase, "the database is one");
  Check(target->topology != Target::Topology::kCluster || target->database == 0, "a cluster has one database");
  for (const Address& address : target->addresses) {
    Check(!address.unix_path.empty() || (!address.host.empty() && address.port != 0), "an address leads somewhere");
  }
  const std::string spelled = Spelled(*target);
  if (spelled.size() > kMaxUrlSize) return 0;  // encoding makes it longer
  const holdfast::Result<Target> again = ParseUrl(spelled, "field");
  Check(again.ok(), "what was accepted can be spelled out");
  Check(again->addresses == target->addresses && again->master == target->master && again->user == target->user &&
            again->password == target->password && again->database == target->database && again->tls == target->tls &&
            again->topology == target->topology,
        "and means the same");
  return 0;
}
