// A backend whose namespaces have accounts and are held to their quotas.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "service/backends/memory/memory_backend.h"
#include "service/tenancy/quota_backend.h"
#include "service/tenancy/usage_accounts.h"

namespace holdfast::tenancy {

inline std::string KeyIn(std::string_view name_space, std::string_view key, storage::Room room = storage::Room::kKeys) {
  return storage::KeySpace("main", name_space).In(room).Wrap(key);
}

struct QuotaHarness {
  explicit QuotaHarness(std::shared_ptr<storage::Backend> opened, const Clock& clock)
      : raw(std::move(opened)), accounts(std::make_shared<UsageAccounts>(clock)) {
    raw->SetChangeListener(accounts->Follow(raw));
    limited = MakeQuotaBackend(raw, accounts);
  }

  void Count() {
    const Status status = accounts->Count(Deadline::After(std::chrono::seconds{30}));
    ASSERT_TRUE(status.ok()) << status.error().message();
  }
  storage::OperationResult Do(const storage::Operation& operation) {
    return storage::ExecuteOne(*limited, operation, Deadline::After(std::chrono::seconds{30}));
  }
  ErrorCode CodeOf(const storage::Operation& operation) {
    const auto result = Do(operation);
    EXPECT_FALSE(result.status.ok());
    return result.status.ok() ? ErrorCode::kInternal : result.status.error().code();
  }
  Amount Usage(std::string_view name_space) const {
    const NamespaceAccount* account = accounts->Find(name_space);
    return account != nullptr ? account->usage() : Amount{};
  }
  // What a fresh count says.
  Amount Recounted(std::string_view name_space) const {
    Amount total;
    storage::ScanRequest request;
    request.limit = 10'000;
    while (true) {
      const auto page = raw->Scan(request, Deadline::After(std::chrono::seconds{30}));
      EXPECT_TRUE(page.ok());
      for (const auto& item : page->entries) {
        const auto place = storage::FindPlace(item.key);
        if (place && place->name_space == name_space) total += AmountOf(*place, *item.entry, item.value_bytes);
      }
      if (page->complete) return total;
      request.after = page->entries.back().key;
    }
  }

  std::shared_ptr<storage::Backend> raw;
  std::shared_ptr<UsageAccounts> accounts;
  std::shared_ptr<storage::Backend> limited;
};

}  // namespace holdfast::tenancy
