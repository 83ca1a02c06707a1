#include "operator/kube/informer.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "base/log/log.h"
#include "operator/kube/event_filter.h"

namespace holdfast::kube {
namespace {

constexpr std::chrono::seconds kListTimeout{60};
// Repeating failures of one informer are logged no more often than this.
constexpr std::chrono::seconds kLogInterval{30};

}  // namespace

class Informer::State {
 public:
  State(std::shared_ptr<Client> client, ResourceKind kind, InformerOptions options)
      : client_(std::move(client)),
        kind_(std::move(kind)),
        options_(std::move(options)),
        backoff_(options_.backoff),
        filter_(!options_.label_selector.empty()) {}

  void AddHandler(EventHandler handler) { handlers_.push_back(std::move(handler)); }

  void Run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const Status listed = ListOnce();
      if (!listed.ok()) {
        Failed(listed.error());
        Pause(stop);
        continue;
      }
      WatchUntilGap(stop);
    }
  }

  bool HasSynced() const { return synced_.load(std::memory_order_acquire); }

  bool WaitForSync(Deadline deadline) const {
    std::unique_lock lock(sync_mutex_);
    return sync_changed_.wait_until(lock, deadline.WaitUntil(), [this] { return HasSynced(); });
  }

  ObjectPtr Get(const ObjectKey& key) const {
    const std::shared_lock lock(mutex_);
    const auto found = objects_.find(key);
    return found == objects_.end() ? nullptr : found->second;
  }

  bool Indexes(const std::string& label) const { return !label.empty() && label == options_.indexed_label; }

  std::vector<ObjectPtr> ListIndexed(const std::string& ns, const std::string& value) const {
    const std::shared_lock lock(mutex_);
    std::vector<ObjectPtr> objects;
    const auto found = names_.find({ns, value});
    if (found == names_.end()) return objects;
    for (const std::string& name : found->second) objects.push_back(objects_.at({ns, name}));
    return objects;
  }

  std::vector<ObjectPtr> List(const std::string& ns) const {
    const std::shared_lock lock(mutex_);
    std::vector<ObjectPtr> objects;
    auto at = ns.empty() ? objects_.begin() : objects_.lower_bound({ns, ""});
    for (; at != objects_.end() && (ns.empty() || at->first.ns == ns); ++at) objects.push_back(at->second);
    return objects;
  }

 private:
  using Objects = std::map<ObjectKey, ObjectPtr>;

  // A fresh list, compared with the copy.
  Status ListOnce() {
    ListOptions list;
    list.label_selector = options_.label_selector;
    // First from the server's cache; later never older than what was seen, so that another server whose cache lags
    // cannot take us back in time; after a gap, and when that version is unknown to the server, a quorum read.
    list.resource_version = quorum_list_ ? "" : resource_version_.empty() ? "0" : resource_version_;
    auto listed = client_->List(kind_, options_.ns, list, Deadline::After(kListTimeout));
    if (!listed.ok()) {
      quorum_list_ = quorum_list_ || listed.error().code() == ErrorCode::kFailedPrecondition;
      return std::move(listed).error();
    }
    quorum_list_ = false;
    filter_.Clear();
    Objects next;
    for (Json& item : listed->items) {
      ObjectPtr object = Keep(std::move(item));
      next.insert_or_assign(KeyOf(*object), std::move(object));
    }
    Replace(std::move(next));
    resource_version_ = listed->resource_version;
    {
      const std::lock_guard lock(sync_mutex_);
      synced_.store(true, std::memory_order_release);
    }
    sync_changed_.notify_all();
    return {};
  }

  // Watches, again and again, until only a list can tell what happened.
  void WatchUntilGap(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      WatchOptions watch;
      watch.label_selector = options_.label_selector;
      watch.resource_version = resource_version_;
      watch.timeout = options_.watch_timeout;
      watch.idle_timeout = options_.idle_timeout;
      const auto began = std::chrono::steady_clock::now();
      const Status ended = client_->Watch(kind_, options_.ns, watch, stop, [&](WatchEvent event) {
        Handle(std::move(event));
        return !stop.stop_requested();
      });
      if (stop.stop_requested()) return;
      const auto lasted = std::chrono::steady_clock::now() - began;
      // Healthy = as long as the longest delay. A server that takes a watch only to drop it gets rising delays.
      if (lasted >= options_.backoff.maximum) backoff_.Reset();
      if (ended.ok()) {
        // The server's own timeout is no failure; an immediate end, again and again, is.
        if (lasted < options_.backoff.initial) Pause(stop);
        continue;
      }
      Failed(ended.error());
      Pause(stop);
      switch (ended.error().code()) {
        case ErrorCode::kUnavailable:  // the connection: the server still knows our resourceVersion
          continue;
        case ErrorCode::kFailedPrecondition:  // 410: it does not
          quorum_list_ = true;
          return;
        default:  // silent or senseless: what was sent since is not known
          return;
      }
    }
  }

  void Handle(WatchEvent event) {
    std::string version = ResourceVersionOf(event.object);
    if (event.type == WatchEventType::kDeleted) {
      Remove(std::move(event.object));
    } else if (event.type != WatchEventType::kBookmark) {
      if (!Change(std::move(event.object))) return;  // a replay must not take the watch's place back either
    }
    resource_version_ = std::move(version);
  }

  void Remove(Json raw) {
    const ObjectKey key = KeyOf(raw);
    const ObjectPtr old = Get(key);
    // Otherwise of an older object of that name, whose end was reported when its successor came.
    if (old == nullptr || UidOf(*old) != UidOf(raw)) return;
    filter_.Removed(*old);
    filter_.Removed(raw);
    Store(key, nullptr);
    Notify(Keep(std::move(raw)), nullptr);
  }

  // False when the event is a replay.
  bool Change(Json raw) {
    const ObjectKey key = KeyOf(raw);
    const ObjectPtr old = Get(key);
    if (filter_.IsReplay(old.get(), raw)) return false;
    const bool same_object = old != nullptr && UidOf(*old) == UidOf(raw);
    const ObjectPtr current = Keep(std::move(raw));
    if (old != nullptr) filter_.Superseded(*old);
    Store(key, current);
    if (old != nullptr && !same_object) {
      Notify(old, nullptr);
      Notify(nullptr, current);
    } else {
      Notify(old, current);
    }
    return true;
  }

  // Makes the copy what the list says and reports the difference: what went first, so that a name's second object is
  // never seen before its first one's end.
  void Replace(Objects next) {
    std::vector<std::pair<ObjectPtr, ObjectPtr>> changes;
    {
      const std::unique_lock lock(mutex_);
      for (const auto& [key, old] : objects_) {
        const auto found = next.find(key);
        if (found == next.end() || UidOf(*found->second) != UidOf(*old)) changes.emplace_back(old, nullptr);
      }
      for (auto& [key, current] : next) {
        const auto found = objects_.find(key);
        const ObjectPtr old = found == objects_.end() ? nullptr : found->second;
        if (old == nullptr || UidOf(*old) != UidOf(*current)) {
          changes.emplace_back(nullptr, current);
        } else if (ResourceVersionOf(*old) != ResourceVersionOf(*current)) {
          changes.emplace_back(old, current);
        } else {
          current = old;  // readers may hold it already; one copy is enough
        }
      }
      objects_ = std::move(next);
      names_.clear();
      for (const auto& [key, object] : objects_) AddToIndex(key, *object);
    }
    for (const auto& [old, current] : changes) Notify(old, current);
  }

  ObjectPtr Keep(Json object) const {
    if (const auto metadata = object.find("metadata"); metadata != object.end() && metadata->is_object()) {
      metadata->erase("managedFields");
    }
    if (options_.trim) options_.trim(object);
    return std::make_shared<const Json>(std::move(object));
  }

  void Store(const ObjectKey& key, ObjectPtr object) {
    const std::unique_lock lock(mutex_);
    if (const auto former = objects_.find(key); former != objects_.end()) RemoveFromIndex(key, *former->second);
    if (object == nullptr) {
      objects_.erase(key);
    } else {
      AddToIndex(key, *object);
      objects_.insert_or_assign(key, std::move(object));
    }
  }

  // Both require mutex_. An object without the label is under no value: nobody asks for those.
  void AddToIndex(const ObjectKey& key, const Json& object) {
    if (options_.indexed_label.empty()) return;
    std::string value = LabelOf(object, options_.indexed_label);
    if (!value.empty()) names_[{key.ns, std::move(value)}].insert(key.name);
  }
  void RemoveFromIndex(const ObjectKey& key, const Json& object) {
    if (options_.indexed_label.empty()) return;
    const auto found = names_.find({key.ns, LabelOf(object, options_.indexed_label)});
    if (found == names_.end()) return;
    found->second.erase(key.name);
    if (found->second.empty()) names_.erase(found);
  }

  void Notify(const ObjectPtr& old, const ObjectPtr& current) const {
    for (const EventHandler& handler : handlers_) handler(old, current);
  }

  void Failed(const Error& error) {
    const auto now = std::chrono::steady_clock::now();
    if (logged_at_ && now - *logged_at_ < kLogInterval) return;
    logged_at_ = now;
    log::Warn("informer lost touch and goes on trying", {{"kind", kind_.kind}, {"error", error.ToString()}});
  }

  // Interrupted by `stop`.
  void Pause(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, backoff_.Next(), [] { return false; });
  }

  const std::shared_ptr<Client> client_;
  const ResourceKind kind_;
  const InformerOptions options_;
  std::vector<EventHandler> handlers_;  // constant once Run has begun

  // Only the thread in Run.
  Backoff backoff_;
  EventFilter filter_;
  std::string resource_version_;  // opaque; of the last list, event or bookmark
  bool quorum_list_ = false;
  std::optional<std::chrono::steady_clock::time_point> logged_at_;

  mutable std::shared_mutex mutex_;
  Objects objects_;  // guarded by mutex_; written only by the thread in Run
  // By namespace and value of the indexed label, the names of the objects that have it.
  std::map<ObjectKey, std::set<std::string>> names_;  // guarded by mutex_

  std::atomic<bool> synced_{false};
  mutable std::mutex sync_mutex_;
  mutable std::condition_variable sync_changed_;
};

std::vector<ObjectPtr> Lister::ListLabelled(const std::string& ns, const std::string& label,
                                            const std::string& value) const {
  std::vector<ObjectPtr> objects = List(ns);
  std::erase_if(objects, [&](const ObjectPtr& object) { return LabelOf(*object, label) != value; });
  std::sort(objects.begin(), objects.end(),
            [](const ObjectPtr& a, const ObjectPtr& b) { return KeyOf(*a) < KeyOf(*b); });
  return objects;
}

Informer::Informer(std::shared_ptr<Client> client, ResourceKind kind, InformerOptions options)
    : kind_(kind), state_(std::make_unique<State>(std::move(client), std::move(kind), std::move(options))) {}

Informer::~Informer() = default;

void Informer::AddHandler(EventHandler handler) {
  state_->AddHandler(std::move(handler));
}

void Informer::Run(std::stop_token stop) {
  state_->Run(stop);
}

bool Informer::HasSynced() const {
  return state_->HasSynced();
}

bool Informer::WaitForSync(Deadline deadline) const {
  return state_->WaitForSync(deadline);
}

ObjectPtr Informer::Get(const ObjectKey& key) const {
  return state_->Get(key);
}

std::vector<ObjectPtr> Informer::List(const std::string& ns) const {
  return state_->List(ns);
}

std::vector<ObjectPtr> Informer::ListLabelled(const std::string& ns, const std::string& label,
                                              const std::string& value) const {
  const bool indexed = state_->Indexes(label) && !ns.empty() && !value.empty();
  return indexed ? state_->ListIndexed(ns, value) : Lister::ListLabelled(ns, label, value);
}

}  // namespace holdfast::kube
