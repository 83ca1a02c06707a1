#include "base/redis/pipeline.h"

#include <hiredis/hiredis.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>

#include "base/redis/slot.h"

namespace holdfast::redis {
namespace {

std::string Sha1(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1) std::abort();
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

}  // namespace

Script::Script(std::string name, std::string text) {
  std::string sha1 = Sha1(text);
  shared_ = std::make_shared<const Shared>(Shared{std::move(name), std::move(text), std::move(sha1)});
}

Pipeline& Pipeline::For(std::string_view key) {
  slot_ = SlotOf(key);
  return *this;
}

Pipeline& Pipeline::Add(Effect effect, std::span<const std::string_view> words) {
  std::vector<const char*> starts;
  std::vector<std::size_t> sizes;
  starts.reserve(words.size());
  sizes.reserve(words.size());
  std::size_t together = 0;
  for (const std::string_view word : words) {
    starts.push_back(word.data());
    sizes.push_back(word.size());
    together += word.size();
  }
  // hiredis counts in int.
  constexpr std::size_t kFraming = 32;
  if (together + words.size() * kFraming > kMaxCommandBytes) std::abort();
  char* formatted = nullptr;
  const auto size = redisFormatCommandArgv(&formatted, static_cast<int>(words.size()), starts.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  const std::unique_ptr<char, void (*)(char*)> owned(formatted, redisFreeCommand);
  wire_.append(formatted, static_cast<std::size_t>(size));
  commands_.push_back({wire_.size(), effect, -1, slot_});
  return *this;
}

Pipeline& Pipeline::Call(Effect effect, const Script& script, std::span<const std::string_view> keys,
                         std::span<const std::string_view> arguments) {
  const std::string count = std::to_string(keys.size());
  std::vector<std::string_view> words{"EVALSHA", script.sha1(), count};
  words.insert(words.end(), keys.begin(), keys.end());
  words.insert(words.end(), arguments.begin(), arguments.end());
  Add(effect, words);
  commands_.back().script = PlaceOf(script);
  return *this;
}

int Pipeline::PlaceOf(const Script& script) {
  const auto found =
      std::find_if(scripts_.begin(), scripts_.end(), [&](const Script& each) { return each.sha1() == script.sha1(); });
  if (found != scripts_.end()) return static_cast<int>(found - scripts_.begin());
  scripts_.push_back(script);
  return static_cast<int>(scripts_.size()) - 1;
}

void Pipeline::Clear() {
  wire_.clear();
  commands_.clear();
  scripts_.clear();
  slot_ = -1;
}

}  // namespace holdfast::redis
