#include "base/redis/url.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

namespace holdfast::redis {
namespace {

struct Scheme {
  std::string_view name;
  Target::Topology topology = Target::Topology::kStandalone;
  bool tls = false;
  bool unix_socket = false;
};

constexpr std::array kSchemes = {
    Scheme{"redis", Target::Topology::kStandalone, false, false},
    Scheme{"rediss", Target::Topology::kStandalone, true, false},
    Scheme{"unix", Target::Topology::kStandalone, false, true},
    Scheme{"redis+unix", Target::Topology::kStandalone, false, true},
    Scheme{"redis+sentinel", Target::Topology::kSentinel, false, false},
    Scheme{"rediss+sentinel", Target::Topology::kSentinel, true, false},
    Scheme{"redis+cluster", Target::Topology::kCluster, false, false},
    Scheme{"rediss+cluster", Target::Topology::kCluster, true, false},
};

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// Takes one URL apart, from the left to the right.
class Parser {
 public:
  Parser(std::string_view url, std::string_view field) : url_(url), field_(field) {}

  Result<Target> Parse() {
    if (url_.size() > kMaxUrlSize) return Wrong(fmt::format("has more than {} bytes", kMaxUrlSize));
    for (const char c : url_) {
      if (c <= ' ' || c == '\x7f') return Wrong("holds a blank or a control character: percent-encode it");
    }
    const std::size_t colon = url_.find("://");
    const Scheme* scheme = colon == std::string_view::npos ? nullptr : Find(url_.substr(0, colon));
    if (scheme == nullptr) {
      return Wrong(
          "must begin with redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or "
          "rediss+cluster://");
    }
    std::string_view rest = url_.substr(colon + 3);
    if (rest.find('#') != std::string_view::npos) return Wrong("holds '#': percent-encode it as %23");
    const std::size_t question = rest.find('?');
    const bool has_query = question != std::string_view::npos;
    const std::string_view query = has_query ? rest.substr(question + 1) : std::string_view();
    rest = rest.substr(0, question);
    const std::size_t slash = rest.find('/');
    const std::string_view authority = rest.substr(0, slash);
    const std::string_view path = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);

    target_.topology = scheme->topology;
    target_.tls = scheme->tls;
    const std::size_t at = authority.rfind('@');
    if (at != std::string_view::npos) HOLDFAST_RETURN_IF_ERROR(Credentials(authority.substr(0, at)));
    const std::string_view hosts = at == std::string_view::npos ? authority : authority.substr(at + 1);
    if (scheme->unix_socket) {
      HOLDFAST_RETURN_IF_ERROR(UnixSocket(hosts, path, query));
    } else if (has_query) {
      return Wrong("has a query, which only unix:// may have (?db=NUMBER)");
    } else if (scheme->topology == Target::Topology::kSentinel) {
      HOLDFAST_RETURN_IF_ERROR(Sentinels(hosts, path));
    } else if (scheme->topology == Target::Topology::kCluster) {
      HOLDFAST_RETURN_IF_ERROR(Cluster(hosts, path));
    } else {
      HOLDFAST_RETURN_IF_ERROR(Server(hosts, path));
    }
    return std::move(target_);
  }

 private:
  Error Wrong(std::string_view what) const {
    return {ErrorCode::kInvalidArgument, std::string(field_).append(" ").append(what)};
  }

  static const Scheme* Find(std::string_view name) {
    for (const Scheme& scheme : kSchemes) {
      if (scheme.name == name) return &scheme;
    }
    return nullptr;
  }

  Result<std::string> Decoded(std::string_view text, std::string_view part) const {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '%') {
        decoded += text[i];
        continue;
      }
      const auto high = i + 1 < text.size() ? HexDigit(text[i + 1]) : std::nullopt;
      const auto low = i + 2 < text.size() ? HexDigit(text[i + 2]) : std::nullopt;
      if (!high || !low) return Wrong(std::string("has a '%' without two hexadecimal digits in its ").append(part));
      const char byte = static_cast<char>(*high * 16 + *low);
      if (byte == '\0') return Wrong(std::string("has a zero byte in its ").append(part));
      decoded += byte;
      i += 2;
    }
    return decoded;
  }

  Status Credentials(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) {
      return Wrong("names a user without a password: write user:password@, or :password@ for the default user");
    }
    HOLDFAST_ASSIGN_OR_RETURN(target_.user, Decoded(text.substr(0, colon), "user"));
    HOLDFAST_ASSIGN_OR_RETURN(target_.password, Decoded(text.substr(colon + 1), "password"));
    return {};
  }

  Status Database(std::string_view text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0 || number > kMaxDatabase) {
      return Wrong(fmt::format("has a database that is not a number from 0 to {}", kMaxDatabase));
    }
    target_.database = number;
    return {};
  }

  Status Port(std::string_view text, std::uint16_t* port) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *port);
    if (error != std::errc() || end != text.data() + text.size() || *port == 0) {
      return Wrong("has a port that is not a number from 1 to 65535");
    }
    return {};
  }

  Result<Address> HostAndPort(std::string_view text, std::uint16_t default_port) {
    Address address;
    address.port = default_port;
    std::string_view host = text;
    std::string_view behind;
    if (text.starts_with('[')) {
      const std::size_t bracket = text.find(']');
      if (bracket == std::string_view::npos) return Wrong("has a '[' without a ']' in its host");
      host = text.substr(1, bracket - 1);
      behind = text.substr(bracket + 1);
      if (!behind.empty() && behind.front() != ':') return Wrong("has something between ']' and the port");
    } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
      host = text.substr(0, colon);
      behind = text.substr(colon);
    }
    if (host.empty()) return Wrong("names no host");
    for (const char c : host) {
      const bool allowed = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
                           c == '-' || c == '_' || (c == ':' && text.front() == '[');
      if (!allowed) return Wrong("has a host with a character that no host has");
    }
    address.host = host;
    if (!behind.empty()) HOLDFAST_RETURN_IF_ERROR(Port(behind.substr(1), &address.port));
    return address;
  }

  Status Server(std::string_view host, std::string_view path) {
    if (host.find(',') != std::string_view::npos) {
      return Wrong(
          "names several hosts, which only redis+sentinel:// and redis+cluster:// may: redis://host:port/database "
          "names one");
    }
    HOLDFAST_ASSIGN_OR_RETURN(Address address, HostAndPort(host, kDefaultPort));
    target_.addresses.push_back(std::move(address));
    return path.size() <= 1 ? Status() : Database(path.substr(1));
  }

  Status UnixSocket(std::string_view host, std::string_view path, std::string_view query) {
    if (!host.empty()) return Wrong("has a relative path: unix:///path/to/socket has three slashes");
    Address address;
    HOLDFAST_ASSIGN_OR_RETURN(address.unix_path, Decoded(path, "path"));
    if (address.unix_path.size() <= 1) return Wrong("names no socket: write unix:///path/to/socket");
    target_.addresses.push_back(std::move(address));
    if (query.empty()) return {};
    if (!query.starts_with("db=")) return Wrong("has a query other than ?db=NUMBER");
    return Database(query.substr(3));
  }

  Status Hosts(std::string_view hosts, std::uint16_t default_port) {
    while (true) {
      const std::size_t comma = hosts.find(',');
      HOLDFAST_ASSIGN_OR_RETURN(Address address, HostAndPort(hosts.substr(0, comma), default_port));
      target_.addresses.push_back(std::move(address));
      if (comma == std::string_view::npos) return {};
      hosts = hosts.substr(comma + 1);
    }
  }

  Status Cluster(std::string_view hosts, std::string_view path) {
    HOLDFAST_RETURN_IF_ERROR(Hosts(hosts, kDefaultPort));
    if (path.size() <= 1) return {};
    HOLDFAST_RETURN_IF_ERROR(Database(path.substr(1)));
    if (target_.database != 0) return Wrong("names a database, of which a Redis Cluster has only 0: leave it out");
    return {};
  }

  Status Sentinels(std::string_view hosts, std::string_view path) {
    HOLDFAST_RETURN_IF_ERROR(Hosts(hosts, kDefaultSentinelPort));
    const std::string_view behind = path.empty() ? path : path.substr(1);
    const std::size_t slash = behind.find('/');
    HOLDFAST_ASSIGN_OR_RETURN(target_.master, Decoded(behind.substr(0, slash), "master"));
    if (target_.master.empty()) return Wrong("names no master: redis+sentinel://host,host/master/database");
    if (slash == std::string_view::npos || slash + 1 == behind.size()) return {};
    return Database(behind.substr(slash + 1));
  }

  const std::string_view url_;
  const std::string_view field_;
  Target target_;
};

}  // namespace

std::string Address::ToString() const {
  if (!unix_path.empty()) return std::string("unix:").append(unix_path);
  const bool brackets = host.find(':') != std::string::npos;
  return brackets ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Result<Target> ParseUrl(std::string_view url, std::string_view field) {
  return Parser(url, field).Parse();
}

}  // namespace holdfast::redis
