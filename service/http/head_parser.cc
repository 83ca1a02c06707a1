#include "service/http/head_parser.h"

#include <fmt/format.h>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <charconv>
#include <limits>
#include <string>
#include <utility>

#include "service/http/ascii.h"

namespace holdfast::api {
namespace {

namespace http = boost::beast::http;

std::string_view ToStd(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

Method ToMethod(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::kGet;
    case http::verb::head:
      return Method::kHead;
    case http::verb::put:
      return Method::kPut;
    case http::verb::post:
      return Method::kPost;
    case http::verb::delete_:
      return Method::kDelete;
    case http::verb::options:
      return Method::kOptions;
    case http::verb::patch:
      return Method::kPatch;
    default:
      return Method::kOther;
  }
}

bool IsHost(std::string_view value) {
  return value.find_first_of(" \t,/?#@\\<>\"") == std::string_view::npos;
}

class Parser final : public http::basic_parser<true> {
 public:
  Parser(Request& request, Framing& framing) : request_(request), framing_(framing) {
    // The scanner and the connection hold the request to the server's own limits. Not boost::none for the body: Beast
    // 1.74 then refuses every Content-Length, because any number is greater than none.
    header_limit(std::numeric_limits<std::uint32_t>::max());
    body_limit(std::numeric_limits<std::uint64_t>::max());
  }

  std::optional<Refusal> Run(std::string_view head) {
    boost::beast::error_code error;
    const std::size_t used = put(boost::asio::const_buffer(head.data(), head.size()), error);
    if (refusal_) return std::move(refusal_);
    if (error) return FromBeast(error);
    if (!is_header_done() || used != head.size()) return Malformed("the head is malformed");
    framing_.keep_alive = keep_alive();
    return CheckWhole();
  }

 private:
  static Refusal FromBeast(const boost::beast::error_code& error) {
    if (error == http::error::bad_version) {
      return {505, "not_supported", "the request line does not end in HTTP/1.1 or HTTP/1.0"};
    }
    return Malformed(fmt::format("the head is malformed: {}", error.message()));
  }

  void Refuse(Refusal refusal, boost::beast::error_code& error) {
    if (!refusal_) refusal_ = std::move(refusal);
    error = http::error::bad_value;
  }

  void on_request_impl(http::verb verb, boost::beast::string_view method, boost::beast::string_view target, int version,
                       boost::beast::error_code& error) override {
    request_.method = ToMethod(verb);
    request_.method_name = ToStd(method);
    framing_.http_1_0 = version == 10;
    const std::string_view text = ToStd(target);
    const bool asterisk = text == "*" && request_.method == Method::kOptions;
    if (text.front() != '/' && !asterisk) {
      return Refuse(Malformed("the request target is not a path; write it as /path?query"), error);
    }
    if (text.find('#') != std::string_view::npos) {
      return Refuse(Malformed("the request target holds a fragment; write a literal # as %23"), error);
    }
    const std::size_t mark = text.find('?');
    request_.path = text.substr(0, mark);
    request_.query = mark == std::string_view::npos ? std::string_view{} : text.substr(mark + 1);
  }

  void on_field_impl(http::field field, boost::beast::string_view name, boost::beast::string_view text,
                     boost::beast::error_code& error) override {
    const std::string_view value = ToStd(text);
    request_.headers.emplace_back(ToStd(name), value);
    switch (field) {
      case http::field::host:
        if (++hosts_ > 1) return Refuse(Malformed("the request has more than one Host header"), error);
        if (!IsHost(value)) return Refuse(Malformed("the Host header is not a host and port"), error);
        break;
      case http::field::content_length:
        return TakeContentLength(value, error);
      case http::field::transfer_encoding:
        if (framing_.chunked || !EqualsIgnoringCase(value, "chunked")) {
          return Refuse(Malformed("Transfer-Encoding is something else than one \"chunked\""), error);
        }
        framing_.chunked = true;
        break;
      case http::field::expect:
        if (!EqualsIgnoringCase(value, "100-continue")) {
          return Refuse({417, "invalid_argument", "Expect: the only expectation that can be met is 100-continue"},
                        error);
        }
        framing_.expects_continue = true;
        break;
      default:
        break;
    }
  }

  // Beast itself takes "5, 5" and the same length twice.
  void TakeContentLength(std::string_view value, boost::beast::error_code& error) {
    if (++lengths_ > 1) return Refuse(Malformed("the request has more than one Content-Length header"), error);
    const char* const end = value.data() + value.size();
    const bool digits = !value.empty() && IsDigit(value.front());
    const auto [last, failure] = std::from_chars(value.data(), end, framing_.content_length);
    if (!digits || failure != std::errc() || last != end) {
      Refuse(Malformed("Content-Length is not a decimal number below 2^64"), error);
    }
  }

  std::optional<Refusal> CheckWhole() const {
    if (framing_.chunked && lengths_ > 0) {
      return Malformed("the request has both Content-Length and Transfer-Encoding");
    }
    if (framing_.chunked && framing_.http_1_0) return Malformed("HTTP/1.0 knows no Transfer-Encoding");
    if (!framing_.http_1_0 && hosts_ == 0) return Malformed("the Host header is missing");
    return std::nullopt;
  }

  // A request's head ends what this parser is fed; bodies are framed by the connection.
  void on_response_impl(int, boost::beast::string_view, int, boost::beast::error_code&) override {}
  void on_header_impl(boost::beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, boost::beast::error_code&) override {}
  std::size_t on_body_impl(boost::beast::string_view, boost::beast::error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, boost::beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view, boost::beast::error_code&) override {
    return 0;
  }
  void on_finish_impl(boost::beast::error_code&) override {}

  Request& request_;
  Framing& framing_;
  std::size_t hosts_ = 0;
  std::size_t lengths_ = 0;
  std::optional<Refusal> refusal_;
};

}  // namespace

std::optional<Refusal> ParseHead(std::string_view head, Request& request, Framing& framing) {
  framing = {};
  request.method = Method::kOther;
  request.method_name = request.path = request.query = {};
  request.headers.clear();
  return Parser(request, framing).Run(head);
}

}  // namespace holdfast::api
