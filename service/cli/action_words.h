// Commands whose first word says what to do, and whose second one, where there is one, with what: `checkpoint show ID`.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/cli/arguments.h"
#include "service/cli/service_client.h"

namespace holdfast::cli {

enum class IdWord { kNone, kMay, kMust };

struct ActionWord {
  std::string_view word;
  IdWord id = IdWord::kNone;
  // What the service is asked, below the store; `query` stands behind the id where that is in the path (kMust).
  std::string_view method;
  std::string_view path;
  std::string_view query = {};
};

struct ReadAction {
  Arguments arguments;
  const ActionWord* action = nullptr;
  std::string id;  // may be empty for kMay
  ServiceClient service;

  // The request's path, with the id where it belongs.
  std::string Path() const;
  // {"id":...} of kMay with an id; otherwise nothing.
  std::string Body() const;
};

// nullopt: everything has been said, and the command ends with `exit_code`. `timeout`: as MakeServiceClient.
std::optional<ReadAction> ReadActionWords(const Command& command, std::span<const ActionWord> actions,
                                          const std::vector<std::string>& words, std::string_view timeout,
                                          int* exit_code);

}  // namespace holdfast::cli
