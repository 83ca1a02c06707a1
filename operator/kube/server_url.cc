#include "operator/kube/server_url.h"

namespace holdfast::kube {

Result<ServerUrl> ParseServerUrl(std::string_view text) {
  const auto refuse = [](std::string_view why) {
    // The text itself is left out: somebody may have put a password into it.
    return Error(ErrorCode::kInvalidArgument,
                 "the server's address must be http://host[:port] or "
                 "https://host[:port], optionally with a path: " +
                     std::string(why));
  };
  std::size_t authority = 0;
  if (text.starts_with("https://")) {
    authority = 8;
  } else if (text.starts_with("http://")) {
    authority = 7;
  } else {
    return refuse("it has no such scheme");
  }
  for (const char c : text) {
    if (c <= ' ' || c == 0x7f) return refuse("it holds a blank or a control character");
  }
  if (text.find('@') != std::string_view::npos) return refuse("a user or password inside it is not supported");
  if (text.find_first_of("?#") != std::string_view::npos) return refuse("it has a query or a fragment");
  const std::size_t slash = text.find('/', authority);
  ServerUrl url;
  url.base = text.substr(0, slash);
  url.host = url.base.substr(authority);
  if (url.host.empty() || url.host.front() == ':') return refuse("it has no host");
  if (slash != std::string_view::npos) url.path = text.substr(slash);
  while (url.path.ends_with('/')) url.path.pop_back();
  return url;
}

}  // namespace holdfast::kube
