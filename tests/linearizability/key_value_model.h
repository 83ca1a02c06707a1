// What one thread alone would see: keys with values and versions, as the storage contract says, written without a line
// of the backends' own code. A state says which outcomes a call may have had and what it leaves behind.
#pragma once

#include <map>
#include <string>

#include "tests/linearizability/history.h"

namespace holdfast::linearizability {

struct KeyState {
  bool present = false;
  std::string value;
  storage::Version version = 0;
  // The highest version the key ever had: the next one is above it, also behind a delete.
  storage::Version highest = 0;
};

class KeyValueModel {
 public:
  // Whether the call could have had its outcome in this state; then the state behind it. Otherwise the state is
  // unspecified.
  bool Apply(const Call& call);
  // Equal texts are equal states.
  std::string Fingerprint() const;

 private:
  bool ApplyTransaction(const Call& call);

  std::map<std::string, KeyState> keys_;
};

}  // namespace holdfast::linearizability
