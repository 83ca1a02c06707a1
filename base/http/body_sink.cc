#include "base/http/body_sink.h"

#include <stdexcept>

namespace holdfast::http {

pplx::task<std::size_t> BodySink::_putn(const std::uint8_t* bytes, std::size_t count) {
  const pplx::task_completion_event<std::size_t> written;
  const bool more =
      exchange_->Take(std::string_view(reinterpret_cast<const char*>(bytes), count), [written, count](bool wanted) {
        if (wanted) {
          written.set(count);
        } else {
          written.set_exception(std::runtime_error("the reader has gone"));
        }
      });
  if (more) return pplx::task_from_result(count);
  return pplx::create_task(written);
}

pplx::task<BodySink::int_type> BodySink::_putc(std::uint8_t byte) {
  return _putn(&byte, 1).then([byte](std::size_t) { return static_cast<int_type>(byte); });
}

}  // namespace holdfast::http
