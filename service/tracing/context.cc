#include "service/tracing/context.h"

#include <algorithm>
#include <utility>

namespace holdfast::tracing {

thread_local const Scope* Scope::innermost_ = nullptr;

Scope::Scope(ContextPtr context) : context_(std::move(context)), outer_(innermost_) {
  innermost_ = this;
}

Scope::~Scope() {
  innermost_ = outer_;
}

ContextPtr CurrentContext() {
  return Scope::innermost_ != nullptr ? Scope::innermost_->context_ : nullptr;
}

ContextPtr ContextOf(TracedRequestPtr request) {
  auto context = std::make_shared<Context>();
  context->requests.push_back(std::move(request));
  return context;
}

ContextPtr ContextOfAttempt(int attempt) {
  ContextPtr current = CurrentContext();
  if (current == nullptr || current->attempt == attempt) return current;
  auto context = std::make_shared<Context>(*current);
  context->attempt = attempt;
  return context;
}

ContextPtr ContextOfHedge() {
  const ContextPtr current = CurrentContext();
  if (current == nullptr) return nullptr;
  auto context = std::make_shared<Context>(*current);
  context->hedge = true;
  return context;
}

void SharedContext::Add(const ContextPtr& context) {
  if (context == nullptr) return;
  for (const TracedRequestPtr& request : context->requests) {
    if (std::find(requests_.begin(), requests_.end(), request) == requests_.end()) requests_.push_back(request);
  }
}

ContextPtr SharedContext::Take() {
  if (requests_.empty()) return nullptr;
  auto context = std::make_shared<Context>();
  context->requests = std::move(requests_);
  return context;
}

}  // namespace holdfast::tracing
