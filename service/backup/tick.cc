#include "service/backup/tick.h"

#include <fmt/format.h>

#include "service/storage/crc32c.h"

namespace holdfast::backup {

std::string TickId(Timestamp tick) {
  const auto day = std::chrono::floor<std::chrono::days>(tick);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(tick - day);
  return fmt::format("tick-{:04}{:02}{:02}t{:02}{:02}z", int{date.year()}, unsigned{date.month()}, unsigned{date.day()},
                     time.hours().count(), time.minutes().count());
}

std::chrono::microseconds JitterOf(const std::string& store, Timestamp tick, std::chrono::microseconds most) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(most).count();
  if (seconds <= 0) return {};
  const std::uint32_t drawn = storage::Crc32c(fmt::format("{} {}", TickId(tick), store));
  return std::chrono::seconds{drawn % (seconds + 1)};
}

}  // namespace holdfast::backup
