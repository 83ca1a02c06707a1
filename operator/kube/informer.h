// A local, always-filling copy of the objects of one kind: list, then watch from there, for ever. Handlers run on the
// informer's own thread, in order, and must be quick (they enqueue). After a gap (410, reconnect) the copy is compared
// with a fresh list and the missing adds, updates and deletes are reported, so a handler sees every object that came
// and every one that went, though not every step between. Objects are shared and immutable.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <shared_mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "base/time/backoff.h"
#include "base/time/deadline.h"
#include "operator/kube/client.h"

namespace holdfast::kube {

using ObjectPtr = std::shared_ptr<const Json>;

struct InformerOptions {
  std::string ns;              // empty = all namespaces
  std::string label_selector;  // keep it narrow: what is not listed costs no memory
  std::string indexed_label;   // what ListLabelled finds by this label, it finds without looking at the others
  // Cuts away what nobody reads before an object is kept; managedFields always go.
  std::function<void(Json&)> trim;
  BackoffPolicy backoff{std::chrono::milliseconds{800}, std::chrono::seconds{30}, 0.5};
  std::chrono::seconds watch_timeout{300};
  std::chrono::milliseconds idle_timeout{90'000};
};

// Read-only view of an informer's copy. Thread-safe. What it gives may be stale; nothing destructive is decided on it.
class Lister {
 public:
  virtual ~Lister() = default;
  virtual ObjectPtr Get(const ObjectKey& key) const = 0;  // nullptr when not there
  virtual std::vector<ObjectPtr> List(const std::string& ns = "") const = 0;
  // Those of the namespace whose `label` has that value, in the order of their names. Looks at every object of the
  // namespace, unless overridden.
  virtual std::vector<ObjectPtr> ListLabelled(const std::string& ns, const std::string& label,
                                              const std::string& value) const;
};

class Informer : public Lister {
 public:
  // old is nullptr for an add, current for a delete.
  using EventHandler = std::function<void(const ObjectPtr& old, const ObjectPtr& current)>;

  Informer(std::shared_ptr<Client> client, ResourceKind kind, InformerOptions options = {});
  ~Informer() override;

  // Before Run only.
  void AddHandler(EventHandler handler);
  // Blocks until `stop`; the manager gives it a thread.
  void Run(std::stop_token stop);
  bool HasSynced() const;
  // False when `deadline` passed first.
  bool WaitForSync(Deadline deadline) const;

  ObjectPtr Get(const ObjectKey& key) const override;
  std::vector<ObjectPtr> List(const std::string& ns = "") const override;
  std::vector<ObjectPtr> ListLabelled(const std::string& ns, const std::string& label,
                                      const std::string& value) const override;
  const ResourceKind& kind() const { return kind_; }

 private:
  class State;
  ResourceKind kind_;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::kube
