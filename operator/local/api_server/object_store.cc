#include "operator/local/api_server/object_store.h"

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {

StoredObject ObjectStore::View::Get(const std::string& resource, const kube::ObjectKey& key) const {
  const Table* table = store_.FindTable(resource);
  if (table == nullptr) return nullptr;
  auto found = table->objects.find(key);
  return found == table->objects.end() ? nullptr : found->second;
}

const ObjectStore::Table* ObjectStore::FindTable(const std::string& resource) const {
  auto found = tables_.find(resource);
  return found == tables_.end() ? nullptr : &found->second;
}

Answer<StoredObject> ObjectStore::Modify(const std::string& resource, const kube::ObjectKey& key,
                                         const Decide& decide) {
  std::lock_guard lock(mutex_);
  Table& table = tables_[resource];
  auto found = table.objects.find(key);
  StoredObject before = found == table.objects.end() ? nullptr : found->second;
  HOLDFAST_TRY(Change change, decide(View(*this), before));
  if (change.action == Change::Action::kKeep) return std::make_shared<const Json>(std::move(change.object));

  ++revision_;
  EnsureObject(change.object, {"metadata"})["resourceVersion"] = std::to_string(revision_);
  auto after = std::make_shared<const Json>(std::move(change.object));
  bool removed = change.action == Change::Action::kRemove;
  if (removed) {
    table.objects.erase(key);
  } else {
    table.objects[key] = after;
  }
  table.history.push_back({revision_, key, before, after, removed});
  while (table.history.size() > history_limit_) {
    table.oldest = table.history.front().revision;
    table.history.pop_front();
  }
  written_.notify_all();
  return StoredObject(after);
}

StoredObject ObjectStore::Get(const std::string& resource, const kube::ObjectKey& key) const {
  std::lock_guard lock(mutex_);
  return View(*this).Get(resource, key);
}

StoreSnapshot ObjectStore::ListLocked(const Table* table, const std::string& ns) const {
  StoreSnapshot snapshot{revision_, {}};
  if (table == nullptr) return snapshot;
  for (const auto& [key, object] : table->objects) {
    if (ns.empty() || key.ns == ns) snapshot.objects.emplace_back(key, object);
  }
  return snapshot;
}

StoreSnapshot ObjectStore::List(const std::string& resource, const std::string& ns) const {
  std::lock_guard lock(mutex_);
  return ListLocked(FindTable(resource), ns);
}

std::vector<StoredOfKind> ObjectStore::Everything() const {
  std::lock_guard lock(mutex_);
  std::vector<StoredOfKind> all;
  for (const auto& [resource, table] : tables_) {
    for (const auto& [key, object] : table.objects) all.push_back({resource, key, object});
  }
  return all;
}

std::optional<StoreSnapshot> ObjectStore::ListAt(const std::string& resource, const std::string& ns,
                                                 std::uint64_t revision) const {
  std::lock_guard lock(mutex_);
  const Table* table = FindTable(resource);
  if (table == nullptr) return ListLocked(nullptr, ns);
  if (revision < table->oldest) return std::nullopt;
  Table then{table->objects, {}, 0};
  for (auto event = table->history.rbegin(); event != table->history.rend() && event->revision > revision; ++event) {
    if (event->before == nullptr) {
      then.objects.erase(event->key);
    } else {
      then.objects[event->key] = event->before;
    }
  }
  StoreSnapshot snapshot = ListLocked(&then, ns);
  snapshot.revision = revision;
  return snapshot;
}

ObjectStore::Events ObjectStore::EventsAfter(const std::string& resource, std::uint64_t revision) const {
  std::lock_guard lock(mutex_);
  Events result{false, 0, revision_, {}};
  const Table* table = FindTable(resource);
  if (table == nullptr) return result;
  result.oldest = table->oldest;
  if (revision < table->oldest) {
    result.expired = true;
    return result;
  }
  auto first = table->history.end();
  while (first != table->history.begin() && std::prev(first)->revision > revision) --first;
  result.events.assign(first, table->history.end());
  return result;
}

std::uint64_t ObjectStore::revision() const {
  std::lock_guard lock(mutex_);
  return revision_;
}

std::uint64_t ObjectStore::WaitBeyond(std::uint64_t revision, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  written_.wait_for(lock, timeout, [&] { return revision_ > revision; });
  return revision_;
}

}  // namespace holdfast::local
