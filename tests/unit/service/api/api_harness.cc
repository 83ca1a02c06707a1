#include "tests/unit/service/api/api_harness.h"

#include <condition_variable>
#include <future>
#include <mutex>

#include "service/api/metrics.h"
#include "service/api/problem.h"
#include "service/execution/executor.h"
#include "service/hot_keys/hot_keys.h"
#include "service/storage/listener_fanout.h"
#include "service/tenancy/quota_backend.h"

namespace holdfast::api {
namespace {

class Capture : public Responder::Channel {
 public:
  explicit Capture(std::promise<Response>* promise) : promise_(promise) {}
  void Deliver(Response&& response) override { promise_->set_value(std::move(response)); }

 private:
  std::promise<Response>* const promise_;
};

Method MethodOf(std::string_view name) {
  for (const Method method :
       {Method::kGet, Method::kHead, Method::kPut, Method::kPost, Method::kDelete, Method::kOptions, Method::kPatch}) {
    if (MethodName(method) == name) return method;
  }
  return Method::kOther;
}

Request MakeRequest(std::string_view method, std::string_view target, const HeaderList& headers) {
  Request request;
  request.method = MethodOf(method);
  request.method_name = method;
  const std::size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  for (const auto& [name, value] : headers) request.headers.emplace_back(name, value);
  request.peer_address = "10.0.0.7";
  return request;
}

// Reads a stream to its end, in small pieces. False when it failed.
bool PullAll(BodyStream& stream, std::string* body) {
  constexpr std::size_t kPiece = 4096;
  struct Signal {
    std::mutex mutex;
    std::condition_variable changed;
    bool woken = false;
  };
  const auto signal = std::make_shared<Signal>();
  stream.Start([signal] {
    const std::lock_guard lock(signal->mutex);
    signal->woken = true;
    signal->changed.notify_all();
  });
  while (true) {
    switch (stream.Pull(body, kPiece)) {
      case BodyStream::State::kMore:
        break;
      case BodyStream::State::kWait: {
        std::unique_lock lock(signal->mutex);
        if (!signal->changed.wait_for(lock, std::chrono::seconds{60}, [&] { return signal->woken; })) {
          ADD_FAILURE() << "the stream waits for ever";
          return false;
        }
        signal->woken = false;
        break;
      }
      case BodyStream::State::kEnd:
        return true;
      case BodyStream::State::kFailed:
        return false;
    }
  }
}

}  // namespace

std::string Answer::Header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

nlohmann::json Answer::Json() const {
  return nlohmann::json::parse(body, nullptr, false);
}

std::string Answer::Code() const {
  return content_type == "application/problem+json" ? Json().value("code", "") : std::string();
}

std::string Answer::Detail() const {
  return content_type == "application/problem+json" ? Json().value("detail", "") : std::string();
}

ApiHarness::ApiHarness(Options options) {
  const storage::Limits limits = options.memory.limits;
  options.memory.limits = storage::BackendLimits(limits);
  coordination_ = std::make_shared<coordination::StoreCoordination>(
      std::make_shared<coordination::SharedCoordination>(options.coordination), "main", clock_, registry_);
  tenancy_->accounts = std::make_shared<tenancy::UsageAccounts>(clock_);
  std::shared_ptr<storage::Backend> memory = storage::MakeMemoryBackend(options.memory, clock_);
  memory->SetChangeListener(
      std::make_shared<storage::ListenerFanout>(std::vector<std::shared_ptr<storage::ChangeListener>>{
          tenancy_->accounts->Follow(memory), coordination_->listener()}));
  EXPECT_TRUE(tenancy_->accounts->Count(Deadline::Infinite()).ok());
  backend_ = tenancy::MakeQuotaBackend(memory, tenancy_->accounts);
  if (options.wrap) backend_ = options.wrap(backend_);
  executor_ = execution::MakeExecutor(backend_, options.executor);
  storage::Store store;
  store.name = "main";
  store.backend_name = "memory";
  store.backend = backend_;
  store.executor = executor_;
  store.ttls = std::make_shared<storage::StoreTtls>(options.default_ttl, options.sliding_ttl);
  store.limits = limits;
  store.tenants = std::make_shared<storage::TenantViews>(backend_, "main", limits);
  maintainer_ = std::make_shared<documents::Maintainer>(backend_, "main", store.tenants);
  store.maintainer = maintainer_;
  store.hot_keys = std::make_shared<hot_keys::HotKeys>(hot_keys::HotKeysOptions{.sample = 1}, clock_);
  store.coordination = coordination_;
  options.api.clock = &clock_;
  tenancy_->quotas = std::make_shared<tenancy::QuotaRecords>(backend_, "main", tenancy_->accounts);
  tenancy_->audit = tenancy::AuditLog::Open(options.audit, registry_, clock_).value();
  tenancy_->access = tenancy::AccessControl::Open(options.access, options.review, registry_, clock_).value();
  options.api.tenancy = tenancy_;
  auto stores = std::make_shared<storage::StoreRegistry>(std::vector<storage::Store>{store}, "main");
  maintainer_->Start();
  handler_ = std::make_unique<ApiHandler>(stores, options.api, registry_, [] {
    HealthReport report;
    report.backends.push_back({"memory", true, std::chrono::microseconds{5}, ""});
    return report;
  });
}

ApiHarness::~ApiHarness() {
  coordination_->Stop();
  tenancy_->access->Stop();
  executor_->Drain();
  maintainer_->Stop();
}

ApiHarness::Pending::Pending(std::string method, std::string target, HeaderList headers, std::string body)
    : method_(std::move(method)),
      target_(std::move(target)),
      headers_(std::move(headers)),
      request_(MakeRequest(method_, target_, headers_)) {
  request_.body = std::move(body);
}

Responder ApiHarness::Pending::TakeResponder() {
  return Responder(std::make_shared<Capture>(&promise_));
}

bool ApiHarness::Pending::IsAnswered() const {
  return future_.wait_for(std::chrono::seconds{0}) == std::future_status::ready;
}

Answer ApiHarness::Pending::Get() {
  if (future_.wait_for(std::chrono::seconds{60}) != std::future_status::ready) {
    ADD_FAILURE() << "no answer to " << method_ << " " << target_;
    return {};
  }
  const Response response = future_.get();
  Answer answer;
  answer.status = response.status;
  answer.content_type = ContentTypeOf(response);
  if (response.etag != 0) answer.headers.emplace("ETag", ETagOf(response.etag));
  for (const auto& [name, value] : response.headers) {
    EXPECT_TRUE(answer.headers.emplace(name, value).second) << "header twice: " << name;
  }
  answer.body = response.entry != nullptr ? response.entry->value : response.body;
  // An endless one is the test's to pull.
  if (response.stream != nullptr && !response.stream->endless()) {
    answer.cut_off = !PullAll(*response.stream, &answer.body);
  } else {
    answer.stream = response.stream;
  }
  return answer;
}

std::unique_ptr<ApiHarness::Pending> ApiHarness::Begin(std::string_view method, const std::string& target,
                                                       const HeaderList& headers, const std::string& body) {
  auto pending = std::make_unique<Pending>(std::string(method), target, headers, body);
  handler_->Handle(pending->request(), pending->TakeResponder());
  return pending;
}

Answer ApiHarness::Send(std::string_view method, const std::string& target, const HeaderList& headers,
                        const std::string& body) {
  return Begin(method, target, headers, body)->Get();
}

std::size_t ApiHarness::MaxBodyBytes(std::string_view method, const std::string& target) {
  return handler_->TermsOfBody(MakeRequest(method, target, {})).max_bytes;
}

}  // namespace holdfast::api
