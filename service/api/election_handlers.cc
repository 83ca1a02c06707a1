// Elections: campaign, keep, observe, resign. The election "n" is the lock "elections/n".
#include "service/api/event_stream.h"
#include "service/api/handlers.h"
#include "service/api/lease_requests.h"
#include "service/api/submit.h"
#include "service/json/json_writer.h"

namespace holdfast::api {
namespace {

std::string LockOf(Exchange& exchange) {
  std::string name = "elections/";
  name.append(exchange.key());
  return name;
}

class LeaderStream final : public EventStream {
 public:
  LeaderStream(Exchange& exchange, SubscriberSlot slot, const std::string& name)
      : EventStream(exchange, std::move(slot)),
        observer_(exchange.store().coordination->leaders().Subscribe(
            exchange.tenant().space.Wrap(coordination::LockKey(name)), [waker = waker()] { waker->Wake(); })) {}

  void Begin(std::optional<coordination::Holder> leader) { observer_->Begin(std::move(leader)); }

 protected:
  bool Produce(std::string* out, std::size_t /*most*/) override {
    const auto news = observer_->Read();
    if (!news) return false;
    json::JsonWriter json;
    if (news->leader) {
      WriteHolder(*news->leader, &json);
    } else {
      json.BeginObject().EndObject();
    }
    AppendEvent(news->leader ? "leader" : "vacant", "", json.Take(), out);
    return false;
  }

 private:
  const std::unique_ptr<coordination::LeaderSubscription> observer_;
};

}  // namespace

void PostElection(ExchangePtr exchange) {
  std::string name = LockOf(*exchange);
  AcquireLease(std::move(exchange), std::move(name));
}

void PutElection(ExchangePtr exchange) {
  std::string name = LockOf(*exchange);
  ExtendLease(std::move(exchange), std::move(name));
}

void DeleteElection(ExchangePtr exchange) {
  std::string name = LockOf(*exchange);
  ReleaseLease(std::move(exchange), std::move(name));
}

void GetElection(ExchangePtr exchange) {
  SubscriberSlot slot = TakeSlot(*exchange, exchange->store().coordination->election_gauge());
  if (slot == nullptr) return;
  const std::string name = LockOf(*exchange);
  // Subscribed first and read then: a change in between is heard of.
  auto stream = std::make_shared<LeaderStream>(*exchange, std::move(slot), name);
  RunOnPool(std::move(exchange), [stream, name](Exchange& running) {
    auto leader = running.store().coordination->kept_locks().FindHolder(running.tenant(), name, running.deadline());
    if (!leader.ok()) return running.Fail(leader.error());
    stream->Begin(std::move(leader).value());
    SendEvents(running, stream);
  });
}

}  // namespace holdfast::api
