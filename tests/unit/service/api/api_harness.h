// The API in this process: a memory store, its executor and the handler, spoken to without a socket.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/time/clock.h"
#include "service/api/api_handler.h"
#include "service/backends/memory/memory_backend.h"
#include "service/coordination/store_coordination.h"
#include "service/documents/maintainer.h"
#include "service/execution/executor.h"
#include "service/tenancy/tenancy.h"

namespace holdfast::api {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct Answer {
  int status = 0;
  std::string content_type;
  std::map<std::string, std::string> headers;  // names as sent
  std::string body;                            // of a stream with an end: all of it
  bool cut_off = false;                        // a stream that failed on the way
  std::shared_ptr<BodyStream> stream;          // an endless one, instead of a body

  std::string Header(const std::string& name) const;
  nlohmann::json Json() const;
  // The problem's code; empty when the body is no problem.
  std::string Code() const;
  std::string Detail() const;
};

class ApiHarness {
 public:
  struct Options {
    ApiOptions api;
    storage::MemoryOptions memory;
    std::optional<std::chrono::microseconds> default_ttl = {};
    execution::ExecutorOptions executor = {};
    std::optional<std::chrono::microseconds> sliding_ttl = {};
    coordination::CoordinationOptions coordination = {};
    tenancy::AccessOptions access = {};
    tenancy::TokenReview review = {};
    tenancy::AuditOptions audit = {};
    // Puts something between the service and its backend.
    std::function<std::shared_ptr<storage::Backend>(std::shared_ptr<storage::Backend>)> wrap = {};
  };
  explicit ApiHarness(Options options);
  ApiHarness() : ApiHarness(Options{}) {}
  ~ApiHarness();

  // Fails the test when no answer comes within ten seconds.
  Answer Send(std::string_view method, const std::string& target, const HeaderList& headers = {},
              const std::string& body = "");
  // The same, but does not wait: for requests that may take long. The answer has ten seconds from when it is asked for.
  class Pending;
  std::unique_ptr<Pending> Begin(std::string_view method, const std::string& target, const HeaderList& headers = {},
                                 const std::string& body = "");
  std::size_t MaxBodyBytes(std::string_view method, const std::string& target);

  execution::Executor& executor() { return *executor_; }
  ManualClock& clock() { return clock_; }
  metrics::Registry& registry() { return registry_; }
  ApiHandler& handler() { return *handler_; }
  const tenancy::Tenancy& tenancy() { return *tenancy_; }

 private:
  ManualClock clock_;
  metrics::Registry registry_;
  std::shared_ptr<tenancy::Tenancy> tenancy_ = std::make_shared<tenancy::Tenancy>();
  std::shared_ptr<storage::Backend> backend_;
  std::shared_ptr<coordination::StoreCoordination> coordination_;
  std::shared_ptr<execution::Executor> executor_;
  std::shared_ptr<documents::Maintainer> maintainer_;
  std::unique_ptr<ApiHandler> handler_;
};

// A request on its way, with everything it points into.
class ApiHarness::Pending {
 public:
  Pending(std::string method, std::string target, HeaderList headers, std::string body);
  Answer Get();
  bool IsAnswered() const;
  Request& request() { return request_; }
  Responder TakeResponder();

 private:
  const std::string method_;
  const std::string target_;
  const HeaderList headers_;
  Request request_;
  std::promise<Response> promise_;
  std::future<Response> future_ = promise_.get_future();
};

}  // namespace holdfast::api
