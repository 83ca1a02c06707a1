#include "tests/integration/service/canaries.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace holdfast {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// Those characters that depend on nothing but the bytes when `ahead` bytes of something else stand in front.
std::string Base64Core(std::string_view bytes, std::size_t ahead) {
  std::string core;
  const std::size_t end = ahead + bytes.size();
  for (std::size_t digit = (ahead * 8 + 5) / 6; (digit + 1) * 6 <= end * 8; ++digit) {
    unsigned value = 0;
    for (std::size_t bit = digit * 6; bit < digit * 6 + 6; ++bit) {
      const auto byte = static_cast<unsigned char>(bytes[bit / 8 - ahead]);
      value = value << 1 | (byte >> (7 - bit % 8) & 1u);
    }
    core.push_back(kBase64[value]);
  }
  return core;
}

}  // namespace

std::vector<std::string> FormsOf(std::string_view bytes) {
  std::string hex, percent, escaped;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex += fmt::format("{:02x}", byte);
    percent += fmt::format("%{:02x}", byte);
    escaped += fmt::format("\\u{:04x}", byte);
  }
  std::vector<std::string> forms = {std::string(bytes), hex, percent, escaped};
  for (std::size_t ahead = 0; ahead < 3; ++ahead) {
    std::string core = Base64Core(bytes, ahead);
    forms.push_back(core);
    std::replace(core.begin(), core.end(), '+', '-');
    std::replace(core.begin(), core.end(), '/', '_');
    forms.push_back(core);
  }
  return forms;
}

std::string Canaries::Make(const std::string& name) {
  // No part of one is in another one or in an ordinary text.
  std::string secret = fmt::format("zq{:02}canary{:02}vx", forms_.size(), 97 - forms_.size());
  Add(name, secret);
  return secret;
}

void Canaries::Add(const std::string& name, std::string_view secret) {
  std::vector<std::string> forms = FormsOf(secret);
  // Folded, base64 might be found where it is not; of this length it is not.
  for (std::string& form : forms) form = Lower(std::move(form));
  forms_.emplace_back(name, std::move(forms));
}

std::vector<std::string> Canaries::FoundIn(const std::string& text) const {
  const std::string folded = Lower(text);
  std::vector<std::string> found;
  for (const auto& [name, forms] : forms_) {
    const bool leaked = std::any_of(forms.begin(), forms.end(),
                                    [&](const std::string& form) { return folded.find(form) != std::string::npos; });
    if (leaked) found.push_back(name);
  }
  return found;
}

}  // namespace holdfast
