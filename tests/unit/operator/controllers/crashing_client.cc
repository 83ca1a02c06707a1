#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {

template <typename Call>
auto CrashingClient::Write(const char* verb, const std::string& target, Call call) -> decltype(call()) {
  // The process is dead: nothing of it reaches the server any more.
  if (crashed_) throw Crash();
  ++writes_;
  const bool now = crash_at_ != 0 && --crash_at_ == 0;
  if (now && when_ == When::kBefore) {
    crashed_ = true;
    throw Crash();
  }
  if (on_write) on_write(verb, target);
  auto answer = call();
  if (now) {
    crashed_ = true;
    throw Crash();
  }
  return answer;
}

void CrashingClient::CrashAt(int n, When when) {
  crash_at_ = n;
  when_ = when;
  crashed_ = false;
}

Result<Json> CrashingClient::Get(const kube::ResourceKind& kind, const kube::ObjectKey& key, Deadline deadline) {
  return next_->Get(kind, key, deadline);
}

Result<kube::ObjectList> CrashingClient::List(const kube::ResourceKind& kind, const std::string& ns,
                                              const kube::ListOptions& options, Deadline deadline) {
  return next_->List(kind, ns, options, deadline);
}

Status CrashingClient::Watch(const kube::ResourceKind& kind, const std::string& ns, const kube::WatchOptions& options,
                             std::stop_token stop, const std::function<bool(kube::WatchEvent)>& on_event) {
  return next_->Watch(kind, ns, options, stop, on_event);
}

Result<Json> CrashingClient::Create(const kube::ResourceKind& kind, const Json& object, Deadline deadline) {
  return Write("create", kind.kind + "/" + kube::KeyOf(object).name,
               [&] { return next_->Create(kind, object, deadline); });
}

Result<Json> CrashingClient::Update(const kube::ResourceKind& kind, const Json& object, Deadline deadline) {
  return Write("update", kind.kind + "/" + kube::KeyOf(object).name,
               [&] { return next_->Update(kind, object, deadline); });
}

Result<Json> CrashingClient::UpdateStatus(const kube::ResourceKind& kind, const Json& object, Deadline deadline) {
  return Write("status", kind.kind + "/" + kube::KeyOf(object).name,
               [&] { return next_->UpdateStatus(kind, object, deadline); });
}

Result<Json> CrashingClient::Apply(const kube::ResourceKind& kind, const Json& object,
                                   const kube::ApplyOptions& options, Deadline deadline) {
  return Write("apply", kind.kind + "/" + kube::KeyOf(object).name,
               [&] { return next_->Apply(kind, object, options, deadline); });
}

Result<Json> CrashingClient::MergePatch(const kube::ResourceKind& kind, const kube::ObjectKey& key, const Json& patch,
                                        Deadline deadline) {
  return Write("patch", kind.kind + "/" + key.name, [&] { return next_->MergePatch(kind, key, patch, deadline); });
}

Status CrashingClient::Delete(const kube::ResourceKind& kind, const kube::ObjectKey& key,
                              const kube::DeletePreconditions& preconditions, Deadline deadline) {
  return Write("delete", kind.kind + "/" + key.name, [&] { return next_->Delete(kind, key, preconditions, deadline); });
}

}  // namespace holdfast::storagecluster
