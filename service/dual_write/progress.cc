#include "service/dual_write/progress.h"

#include <fmt/format.h>

#include <sstream>

namespace holdfast::dual_write {

std::string Progress::Encode() const {
  // The cursor is any bytes, so it comes last, behind one line end.
  return fmt::format("{} {} {} {} {} {}\n{}", id, total, copied, compared, differences, comparing ? 1 : 0, cursor);
}

std::optional<Progress> Progress::Decode(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::istringstream words{std::string(bytes.substr(0, end))};
  Progress progress;
  if (!(words >> progress.id >> progress.total >> progress.copied >> progress.compared >> progress.differences >>
        progress.comparing)) {
    return std::nullopt;
  }
  progress.cursor = bytes.substr(end + 1);
  return progress;
}

}  // namespace holdfast::dual_write
