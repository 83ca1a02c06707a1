#include "service/http/output_buffer.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace holdfast::api {

std::string_view BodyOf(const Response& response) {
  return response.entry ? std::string_view(response.entry->value) : std::string_view(response.body);
}

void OutputBuffer::AppendBody(Response&& response) {
  const std::string_view body = BodyOf(response);
  if (body.size() <= kCopiedBodyBytes) {
    text_.append(body);
    return;
  }
  response_ = std::move(response);
  body_ = BodyOf(response_);  // a moved string may have moved its bytes
}

OutputBuffer::Outcome OutputBuffer::SendTo(int socket, bool& progress) {
  progress = false;
  const std::size_t total = text_.size() + body_.size();
  while (sent_ < total) {
    const std::size_t text_sent = std::min(sent_, text_.size());
    const std::size_t body_sent = sent_ - text_sent;
    // iovec is not const-correct; sendmsg only reads.
    std::array<iovec, 2> pieces = {
        iovec{text_.data() + text_sent, text_.size() - text_sent},
        iovec{const_cast<char*>(body_.data()) + body_sent, body_.size() - body_sent},
    };
    ssize_t sent = 0;
    if (body_.empty()) {
      sent = ::send(socket, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
      msghdr message{};
      message.msg_iov = pieces.data();
      message.msg_iovlen = pieces.size();
      sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (sent < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? Outcome::kBlocked : Outcome::kFailed;
    }
    sent_ += static_cast<std::size_t>(sent);
    progress = true;
  }
  Reset();
  return Outcome::kAllSent;
}

OutputBuffer::Outcome OutputBuffer::SendTo(TlsSession& session, bool& progress) {
  progress = false;
  while (sent_ < text_.size() + body_.size()) {
    const std::string_view piece =
        sent_ < text_.size() ? std::string_view(text_).substr(sent_) : body_.substr(sent_ - text_.size());
    std::size_t sent = 0;
    switch (session.Write(piece, sent)) {
      case TlsSession::Outcome::kDone:
        break;
      case TlsSession::Outcome::kWantWrite:
        return Outcome::kBlocked;
      default:
        return Outcome::kFailed;
    }
    sent_ += sent;
    progress = true;
  }
  Reset();
  return Outcome::kAllSent;
}

void OutputBuffer::Reset() {
  sent_ = 0;
  text_.clear();
  if (text_.capacity() > kKeptBytes) text_.shrink_to_fit();
  if (!body_.empty()) {
    body_ = {};
    response_ = {};
  }
}

}  // namespace holdfast::api
