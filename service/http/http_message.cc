#include "service/http/http_message.h"

#include <algorithm>

#include "service/http/ascii.h"

namespace holdfast::api {

const std::string_view* Request::Find(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (EqualsIgnoringCase(field, name)) return &value;
  }
  return nullptr;
}

std::size_t Request::CountOf(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(
      headers.begin(), headers.end(), [&](const auto& header) { return EqualsIgnoringCase(header.first, name); }));
}

std::string_view ContentTypeOf(const Response& response) {
  if (!response.content_type.empty() || !response.entry) return response.content_type;
  return response.entry->content_type.empty() ? kDefaultContentType : std::string_view(response.entry->content_type);
}

void Responder::Channel::Abandon() {
  Response response;
  response.status = 500;
  Deliver(std::move(response));
}

void Responder::Channel::WhenGone(std::function<void()> /*gone*/) {}

Responder& Responder::operator=(Responder&& other) noexcept {
  if (this != &other) {
    if (channel_) channel_->Abandon();
    channel_ = std::move(other.channel_);
  }
  return *this;
}

Responder::~Responder() {
  if (channel_) channel_->Abandon();
}

void Responder::Send(Response&& response) {
  if (auto channel = std::move(channel_)) channel->Deliver(std::move(response));
}

void Responder::WhenGone(std::function<void()> gone) {
  if (channel_) channel_->WhenGone(std::move(gone));
}

}  // namespace holdfast::api
