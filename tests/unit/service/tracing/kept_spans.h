// Keeps the spans that it is told.
#pragma once

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "service/tracing/context.h"
#include "service/tracing/span.h"

namespace holdfast::tracing {

// Thread-safe.
class KeptSpans : public SpanSink {
 public:
  explicit KeptSpans(bool sample = true) : sample_(sample) {}
  bool Sample() override { return sample_; }
  void SetSamplePercent(int percent) override { sample_ = percent > 0; }
  void Record(Span span) override {
    const std::lock_guard lock(mutex_);
    spans_.push_back(std::move(span));
  }
  std::vector<Span> spans() const {
    const std::lock_guard lock(mutex_);
    return spans_;
  }
  std::vector<Span> OfKind(SpanKind kind) const {
    std::vector<Span> some = spans();
    std::erase_if(some, [kind](const Span& span) { return span.kind != kind; });
    return some;
  }

 private:
  std::atomic<bool> sample_;
  mutable std::mutex mutex_;
  std::vector<Span> spans_;  // guarded by mutex_
};

// "" when it has none.
inline std::string AttributeOf(const Span& span, const std::string& name) {
  for (const auto& [key, value] : span.attributes) {
    if (key == name) return value;
  }
  return "";
}
inline std::optional<std::int64_t> NumberOf(const Span& span, const std::string& name) {
  for (const auto& [key, value] : span.numbers) {
    if (key == name) return value;
  }
  return std::nullopt;
}

// A request in a trace of its own: its ids are the letter, as often as they are long.
inline std::shared_ptr<const TracedRequest> RequestNamed(char letter) {
  constexpr std::size_t kTraceDigits = 32;
  constexpr std::size_t kSpanDigits = 16;
  auto request = std::make_shared<TracedRequest>();
  request->trace_id = std::string(kTraceDigits, letter);
  request->span_id = std::string(kSpanDigits, letter);
  request->store = "main";
  return request;
}

}  // namespace holdfast::tracing
