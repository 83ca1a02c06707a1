#include "tests/s3/s3_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <string_view>

namespace holdfast::s3_servers {
namespace {

constexpr int kLook = 10;  // milliseconds between two looks at whether to stop
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::string_view kContentLength = "\r\ncontent-length:";  // blanks may follow, or none
constexpr std::string_view kLastChunk = "0\r\n\r\n";
constexpr std::string_view kSlowDownBody = "<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>";

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool SendAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool IsChunked(const std::string& head) {
  return Lower(head).find("\r\ntransfer-encoding: chunked") != std::string::npos;
}

// Of the body, and not of what frames it: nobody is to wait for an end that never comes.
void FlipLastOf(const std::string& head, std::string* message) {
  const std::size_t framing = IsChunked(head) ? kLastChunk.size() + 2 : 0;
  if (message->size() <= head.size() + kHeadEnd.size() + framing) return;  // there is no body
  char& last = (*message)[message->size() - framing - 1];
  last = static_cast<char>(last ^ 1);
}

// One message of HTTP/1.1, and what had come behind it.
class Reader {
 public:
  Reader(int descriptor, const std::atomic<bool>& stopping) : descriptor_(descriptor), stopping_(stopping) {}

  // False: the peer has gone, or this is to end.
  bool ReadMessage(std::string* head, std::string* whole) {
    std::size_t end = 0;
    while ((end = buffer_.find(kHeadEnd)) == std::string::npos) {
      if (!More()) return false;
    }
    *head = buffer_.substr(0, end);
    end += kHeadEnd.size();
    const std::string lower = Lower(*head);
    const std::size_t length = lower.find(kContentLength);
    if (length != std::string::npos) {
      end += std::stoul(lower.substr(length + kContentLength.size()));
      while (buffer_.size() < end) {
        if (!More()) return false;
      }
    } else if (IsChunked(*head)) {
      // No body of this protocol ends like that by itself, being XML.
      while (buffer_.find(kLastChunk, end) == std::string::npos) {
        if (!More()) return false;
      }
      end = buffer_.find(kLastChunk, end) + kLastChunk.size();
    }
    *whole = buffer_.substr(0, end);
    buffer_.erase(0, end);
    return true;
  }

 private:
  bool More() {
    while (!stopping_) {
      pollfd waiting{descriptor_, POLLIN, 0};
      if (poll(&waiting, 1, kLook) <= 0) continue;
      std::array<char, 65'536> bytes{};
      const ssize_t got = recv(descriptor_, bytes.data(), bytes.size(), 0);
      if (got <= 0) return false;
      buffer_.append(bytes.data(), static_cast<std::size_t>(got));
      return true;
    }
    return false;
  }

  const int descriptor_;
  const std::atomic<bool>& stopping_;
  std::string buffer_;
};

std::string SlowDown(const std::string& header) {
  return "HTTP/1.1 503 Slow Down\r\n" + header +
         "Content-Type: application/xml\r\nContent-Length: " + std::to_string(kSlowDownBody.size()) + "\r\n\r\n" +
         std::string(kSlowDownBody);
}

bool HasGone(int client) {
  char byte = 0;
  const ssize_t got = recv(client, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

}  // namespace

S3Proxy::S3Proxy(std::uint16_t server_port)
    : server_port_(server_port), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || listen(listener_, 64) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();  // a test has nothing to add
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { AcceptLoop(); });
}

S3Proxy::~S3Proxy() {
  stopping_ = true;
  changed_.notify_all();
  acceptor_.join();
  for (std::thread& thread : serving_) thread.join();
  close(listener_);
}

void S3Proxy::Strike(Decide decide) {
  const std::lock_guard lock(mutex_);
  decide_ = std::move(decide);
  heads_.clear();
  held_ = 0;
  released_ = 0;
}

std::vector<std::string> S3Proxy::heads() const {
  const std::lock_guard lock(mutex_);
  return heads_;
}

bool S3Proxy::AwaitHeld(Deadline deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline.WaitUntil(), [this] { return held_ > 0; });
}

void S3Proxy::Release() {
  const std::lock_guard lock(mutex_);
  released_ = held_;
  changed_.notify_all();
}

Fault S3Proxy::Next(const std::string& head) {
  const std::lock_guard lock(mutex_);
  heads_.push_back(head);
  return decide_ ? decide_(static_cast<int>(heads_.size()) - 1, head) : Fault::kNone;
}

void S3Proxy::Hold(int client) {
  std::unique_lock lock(mutex_);
  const int mine = ++held_;
  changed_.notify_all();
  while (!stopping_ && released_ < mine && (client < 0 || !HasGone(client))) {
    changed_.wait_for(lock, std::chrono::milliseconds{kLook});
  }
}

void S3Proxy::AcceptLoop() {
  while (!stopping_) {
    pollfd waiting{listener_, POLLIN, 0};
    if (poll(&waiting, 1, kLook) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) serving_.emplace_back([this, client] { Serve(client); });
  }
}

void S3Proxy::Serve(int client) {
  Reader requests(client, stopping_);
  std::string head;
  std::string request;
  while (requests.ReadMessage(&head, &request)) {
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(server_port_);
    const bool goes_on = connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                         Exchange(client, server, head, request);
    close(server);
    if (!goes_on) break;
  }
  close(client);
}

bool S3Proxy::Exchange(int client, int server, const std::string& head, std::string request) {
  const Fault fault = Next(head);
  const std::size_t body = request.size() - head.size() - kHeadEnd.size();
  const std::string_view half =
      std::string_view(request).substr(0, body == 0 ? head.size() / 2 : request.size() - (body + 1) / 2);
  switch (fault) {
    case Fault::kRefuse:
      return false;
    case Fault::kCutRequest:
      SendAll(server, half);
      return false;
    case Fault::kHoldInMiddle:
      SendAll(server, half);
      Hold(client);
      return false;
    case Fault::kHold:
      Hold(client);
      if (HasGone(client)) return false;
      break;
    case Fault::kDeliverLate:
      Hold(-1);
      break;
    case Fault::kSlowDown:
      return SendAll(client, SlowDown(""));
    case Fault::kSlowDownLong:
      return SendAll(client, SlowDown("Retry-After: 3600\r\n"));
    case Fault::kFlipRequest:
      FlipLastOf(head, &request);
      break;
    default:
      break;
  }
  Reader answers(server, stopping_);
  std::string answer_head;
  std::string answer;
  if (!SendAll(server, request) || !answers.ReadMessage(&answer_head, &answer)) return false;
  if (fault == Fault::kDeliverLate && HasGone(client)) ++late_;
  if (fault == Fault::kHoldAnswer) Hold(client);
  if (fault == Fault::kSwallowAnswer || fault == Fault::kHoldAnswer) return false;
  if (fault == Fault::kFlipAnswer) FlipLastOf(answer_head, &answer);
  return SendAll(client, answer);
}

}  // namespace holdfast::s3_servers
