#include "operator/kubectl/dry_run_client.h"

namespace holdfast::kubectl {

void DryRunClient::Show(const kube::ResourceKind& kind, Json object) {
  const kube::ObjectKey key = kube::KeyOf(object);
  shown_[{kind, key}] = std::move(object);
}

Result<Json> DryRunClient::Get(const kube::ResourceKind& kind, const kube::ObjectKey& key, Deadline deadline) {
  const auto shown = shown_.find({kind, key});
  if (shown == shown_.end()) return next_->Get(kind, key, deadline);
  if (shown->second.is_null()) return Error(ErrorCode::kNotFound, kind.kind + " " + key.ToString() + " is gone");
  return shown->second;
}

Result<kube::ObjectList> DryRunClient::List(const kube::ResourceKind& kind, const std::string& ns,
                                            const kube::ListOptions& options, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(kube::ObjectList list, next_->List(kind, ns, options, deadline));
  std::vector<Json> items;
  for (Json& item : list.items) {
    const auto shown = shown_.find({kind, kube::KeyOf(item)});
    if (shown == shown_.end()) {
      items.push_back(std::move(item));
    } else if (!shown->second.is_null()) {
      items.push_back(shown->second);
    }
  }
  list.items = std::move(items);
  return list;
}

Status DryRunClient::Watch(const kube::ResourceKind&, const std::string&, const kube::WatchOptions&, std::stop_token,
                           const std::function<bool(kube::WatchEvent)>&) {
  return Error(ErrorCode::kNotSupported, "a plan watches nothing");
}

Result<Json> DryRunClient::Note(const kube::ResourceKind& kind, const kube::ObjectKey& key, Json after,
                                Deadline deadline, const char* verb) {
  auto before = Get(kind, key, deadline);
  if (!before.ok() && before.error().code() != ErrorCode::kNotFound) return std::move(before).error();
  PlannedWrite write{.verb = verb != nullptr ? verb : before.ok() ? "change" : "create", .kind = kind, .key = key};
  if (before.ok()) write.before = std::move(before).value();
  write.after = after;
  writes_.push_back(std::move(write));
  shown_[{kind, key}] = after;
  return after;
}

Result<Json> DryRunClient::Create(const kube::ResourceKind& kind, const Json& object, Deadline deadline) {
  return Note(kind, kube::KeyOf(object), object, deadline);
}

Result<Json> DryRunClient::Update(const kube::ResourceKind& kind, const Json& object, Deadline deadline) {
  return Note(kind, kube::KeyOf(object), object, deadline);
}

Result<Json> DryRunClient::UpdateStatus(const kube::ResourceKind& kind, const Json& object, Deadline deadline) {
  return Note(kind, kube::KeyOf(object), object, deadline, "status");
}

Result<Json> DryRunClient::Apply(const kube::ResourceKind& kind, const Json& object, const kube::ApplyOptions& options,
                                 Deadline deadline) {
  kube::ApplyOptions dry = options;
  dry.dry_run = true;
  HOLDFAST_ASSIGN_OR_RETURN(Json applied, next_->Apply(kind, object, dry, deadline));
  return Note(kind, kube::KeyOf(object), std::move(applied), deadline);
}

Result<Json> DryRunClient::MergePatch(const kube::ResourceKind& kind, const kube::ObjectKey& key, const Json& patch,
                                      Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(Json object, Get(kind, key, deadline));
  object.merge_patch(patch);
  return Note(kind, key, std::move(object), deadline);
}

Status DryRunClient::Delete(const kube::ResourceKind& kind, const kube::ObjectKey& key,
                            const kube::DeletePreconditions&, Deadline deadline) {
  auto noted = Note(kind, key, nullptr, deadline, "delete");
  return noted.ok() ? Status::Ok() : Status(std::move(noted).error());
}

}  // namespace holdfast::kubectl
