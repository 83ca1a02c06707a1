// holdfast-misoperations: the list of misoperations as JSON, for the end-to-end cases.
#include <iostream>

#include "tests/misoperation/misoperations.h"

int main() {
  using holdfast::misoperation::Json;
  Json list = Json::array();
  for (const auto& one : holdfast::misoperation::Misoperations()) {
    list.push_back({{"good", one.good},
                    {"path", one.path},
                    {"field", one.field},
                    {"what", one.what},
                    {"spec", one.spec},
                    {"must_be_refused", one.must_be_refused}});
  }
  Json good = Json::object();
  for (const auto& [name, spec] : holdfast::misoperation::GoodSpecs()) good[name] = spec;
  std::cout << Json({{"good", std::move(good)}, {"misoperations", std::move(list)}}).dump() << "\n";
}
