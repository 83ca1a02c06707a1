// The Client over HTTP. Beyond the contract in client.h:
//   - a list is fetched in pages; when its snapshot expires between two pages (410) it is fetched once more, whole;
//   - a 401 is answered by renewing the token, once; nothing was carried out, so this holds for writes too;
//   - a 429 to a read is answered by waiting as long as Retry-After says, once, if the deadline allows; nothing else is
//     retried here, because only the caller knows what its write depends on;
//   - a watch's content that makes no sense (no JSON, unknown type, another kind, a line beyond max_event_bytes) ends
//   it
//     with kCorruption: watching again from the same resourceVersion would meet the same bytes, so list again.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/metrics/metrics.h"
#include "operator/kube/client.h"
#include "operator/kube/credentials.h"

namespace holdfast::kube {

struct RestClientOptions {
  Credentials credentials;
  // Up to the first slash it is also the field manager of what is not applied.
  std::string user_agent = "holdfast-operator";
  std::size_t page_size = 500;  // ListOptions::limit goes first
  // etcd takes objects up to 1.5 MiB; an event about one is little more.
  std::size_t max_event_bytes = 8u << 20;
  std::chrono::milliseconds longest_retry_after{10'000};  // a longer Retry-After is reported instead
};

// `registry` gets rest_client_requests_total{code,method,host} (code "<error>" when no answer came) and must outlive
// the client; nullptr = none. kInvalidArgument when the credentials name no usable server.
Result<std::shared_ptr<Client>> MakeRestClient(RestClientOptions options, metrics::Registry* registry = nullptr);

}  // namespace holdfast::kube
