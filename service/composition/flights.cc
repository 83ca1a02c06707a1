#include "service/composition/flights.h"

namespace holdfast::composition {

Flights::Boarded Flights::Board(std::string_view key, const Stamp& stamp) {
  Part& part = PartOf(key);
  std::lock_guard lock(part.mutex);
  const auto found = part.flights.find(key);
  if (found != part.flights.end() && found->second->stamp_ == stamp) return {found->second, false};
  std::shared_ptr<Flight> flight(new Flight(stamp));
  if (found != part.flights.end()) {
    found->second = flight;  // the other one lands for those who are on it
  } else {
    part.flights.emplace(key, flight);
  }
  return {std::move(flight), true};
}

void Flights::Land(std::string_view key, const std::shared_ptr<Flight>& flight, Landing landing) {
  Part& part = PartOf(key);
  {
    std::lock_guard lock(part.mutex);
    const auto found = part.flights.find(key);
    if (found != part.flights.end() && found->second == flight) part.flights.erase(found);
  }
  {
    std::lock_guard lock(flight->mutex_);
    flight->landing_ = std::move(landing);
  }
  flight->landed_.notify_all();
}

std::optional<Flights::Landing> Flights::Await(Flight& flight, Deadline deadline) {
  std::unique_lock lock(flight.mutex_);
  flight.landed_.wait_until(lock, deadline.WaitUntil(), [&] { return flight.landing_.has_value(); });
  return flight.landing_;
}

}  // namespace holdfast::composition
