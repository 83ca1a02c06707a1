// Secrets that are sent to a service, and the search for them in what it says: as they are, and in the encodings in
// which they would hide from a plain search.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast {

// `bytes` as they are, in hex, in both alphabets of base64 at each of the three places in a longer text,
// percent-encoded byte by byte, and in JSON's \u00xx.
std::vector<std::string> FormsOf(std::string_view bytes);

class Canaries {
 public:
  // A new one, of letters and digits; `name` says in a failure what has leaked.
  std::string Make(const std::string& name);
  void Add(const std::string& name, std::string_view secret);
  // The names of those that stand in the text, in any form and in upper or lower case.
  std::vector<std::string> FoundIn(const std::string& text) const;

 private:
  std::vector<std::pair<std::string, std::vector<std::string>>> forms_;  // by name, in lower case
};

}  // namespace holdfast
