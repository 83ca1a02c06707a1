#include "service/api/cursor_secret.h"

#include <openssl/rand.h>

#include <array>

namespace holdfast::api {
namespace {

std::string SecretKey() {
  std::string key(1, static_cast<char>(storage::Room::kSystem));
  key.append("cursor-secret");
  return key;
}

Result<std::string> MakeSecret() {
  std::array<unsigned char, CursorSigner::kSecretBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return Error(ErrorCode::kInternal, "the system gave no random bytes");
  }
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace

Result<std::shared_ptr<const CursorSigner>> CursorSecret::Signer(Deadline deadline) {
  const std::lock_guard lock(mutex_);
  if (signer_ == nullptr) {
    auto secret = ReadOrMake(deadline);
    if (!secret.ok()) return std::move(secret).error().WithContext("reading the secret of cursors");
    signer_ = std::make_shared<const CursorSigner>(std::move(secret).value());
  }
  return signer_;
}

Result<std::string> CursorSecret::ReadOrMake(Deadline deadline) const {
  storage::Backend& rows = *store_.tenants->Find(storage::kSystemNamespace)->rooms;
  auto found = storage::ExecuteOne(rows, storage::Operation::Get(SecretKey()), deadline);
  if (found.status.ok()) {
    if (found.entry->value.size() != CursorSigner::kSecretBytes) {
      return Error(ErrorCode::kCorruption, "the row holds something other than the secret");
    }
    return found.entry->value;
  }
  if (found.status.error().code() != ErrorCode::kNotFound) return std::move(found.status).error();

  HOLDFAST_ASSIGN_OR_RETURN(std::string secret, MakeSecret());
  const auto put = storage::ExecuteOne(
      rows, storage::Operation::Put(SecretKey(), secret, storage::Precondition::Absent()), deadline);
  if (put.status.ok()) return secret;
  // Another replica was first, or our own write arrived though its answer did not: what stands there now counts.
  const auto winner = storage::ExecuteOne(rows, storage::Operation::Get(SecretKey()), deadline);
  if (winner.status.ok()) return winner.entry->value;
  return put.status.error();
}

}  // namespace holdfast::api
